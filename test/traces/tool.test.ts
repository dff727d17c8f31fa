// The trace tool's own tests, so that a change to it cannot turn every trace green.

import './tool/test/tool.test.mjs'
