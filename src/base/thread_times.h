#pragma once

#include <sys/types.h>

#include <map>

#include "base/clock.h"

namespace modelmill {

/// How long a thread has run so far, and how long it has waited for a core while it could run: what others that ran
/// meanwhile took from it.
struct ThreadTimes {
  Duration ran{};
  Duration waited{};
};

/// Those of each thread of this process, by its id. From the kernel's /proc/self/task/ID/schedstat; empty where that is
/// not to be had. Of a thread that waits at this moment, without this wait.
std::map<pid_t, ThreadTimes> thread_times();

/// The calling thread's; zeros where they are not to be had.
ThreadTimes times_of_this_thread();

}  // namespace modelmill
