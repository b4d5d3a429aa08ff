#pragma once

namespace modelmill {

/// Sets the process's allocator up for tensors: once, at the start of main, before there are threads.
void tune_malloc();

}  // namespace modelmill
