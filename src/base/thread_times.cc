#include "base/thread_times.h"

#include <time.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

namespace modelmill {
namespace {

/// Nothing of a thread that is gone.
std::optional<ThreadTimes> times_of(const std::filesystem::path& thread) {
  std::ifstream file(thread / "schedstat");
  int64_t ran_ns = 0, waited_ns = 0;
  if (!(file >> ran_ns >> waited_ns)) return std::nullopt;
  return ThreadTimes{std::chrono::nanoseconds(ran_ns), std::chrono::nanoseconds(waited_ns)};
}

}  // namespace

std::map<pid_t, ThreadTimes> thread_times() {
  std::map<pid_t, ThreadTimes> out;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/task", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename();
    pid_t id = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), id).ec != std::errc()) continue;
    if (const auto times = times_of(it->path())) out[id] = *times;
  }
  return out;
}

ThreadTimes times_of_this_thread() {
  ThreadTimes out = times_of("/proc/thread-self").value_or(ThreadTimes{});
  // That of a thread that runs is brought up to date at the kernel's ticks only.
  timespec ran{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
  out.ran = std::chrono::seconds(ran.tv_sec) + std::chrono::nanoseconds(ran.tv_nsec);
  return out;
}

}  // namespace modelmill
