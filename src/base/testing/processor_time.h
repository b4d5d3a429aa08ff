#pragma once

#include <ctime>

namespace modelmill::testing {

/// Nanoseconds of processor time, of all threads of this process, that `times` calls take each.
template <typename Call>
double processor_ns(int times, Call&& call) {
  const auto used = [] {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  };
  const double before = used();
  for (int i = 0; i < times; ++i) call();
  return (used() - before) / times;
}

}  // namespace modelmill::testing
