#pragma once

namespace modelmill {

/// Prints where and why to stderr, then aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* message);

}  // namespace modelmill

/// For what only a bug can cause. What a user can cause is a Status.
#define MM_CHECK(condition, message)                                      \
  do {                                                                    \
    if (!(condition)) [[unlikely]]                                        \
      ::modelmill::check_failed(__FILE__, __LINE__, #condition, message); \
  } while (false)
