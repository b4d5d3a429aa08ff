#pragma once

#include <cstddef>

namespace modelmill {

inline constexpr size_t kThreadSlots = 256;

/// A small number for the calling thread: the lowest that no living thread has, below kThreadSlots, kept until the
/// thread ends. With more threads than slots the rest get kThreadSlots, "none". For tables with a place for each
/// thread.
size_t thread_slot();

}  // namespace modelmill
