// Server reflection: lets tools list and call the services without .proto files.

import { ReflectionService } from '@grpc/reflection'
import { FILE_DESCRIPTORS } from '../../gen/descriptors.ts'

type Package = ConstructorParameters<typeof ReflectionService>[0]

/** The reflection service, in its versions v1 and v1alpha, over all of the client API. */
export function reflectionService(): ReflectionService {
  const files = Object.values(FILE_DESCRIPTORS).map(text => Buffer.from(text, 'base64'))
  // The service reads nothing of a package but the files that its types carry.
  const carrier = { format: '', type: {}, fileDescriptorProtos: files }
  return new ReflectionService({ slotcast: carrier } as unknown as Package)
}
