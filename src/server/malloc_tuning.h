#pragma once

namespace modelmill {

/// Sets the process's allocator up for tensors: once, at the start of main, before there are threads.
void tune_malloc();

/// Gives back what is free anywhere in the heap. Takes milliseconds; not for threads that serve.
void give_back_memory();

}  // namespace modelmill
