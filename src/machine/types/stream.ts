// A stream: a row of packed blocks of entries, and its consumer groups.

export class Stream {}
