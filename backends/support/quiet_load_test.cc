#include "support/quiet_load.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

namespace modelmill::backend {
namespace {

int nice_of_this_thread() { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); }

TEST(QuietLoad, RunsWithALowerPriorityThanItsCaller) {
  const int before = nice_of_this_thread();
  const std::thread::id caller = std::this_thread::get_id();
  int during = before;
  std::thread::id runner = caller;
  load_quietly([&] {
    during = nice_of_this_thread();
    runner = std::this_thread::get_id();
  });
  EXPECT_NE(runner, caller);
  EXPECT_GE(during, 10);
  EXPECT_EQ(nice_of_this_thread(), before);
}

TEST(QuietLoad, ThrowsWhatTheLoadThrew) {
  try {
    load_quietly([] { throw std::runtime_error("no such file"); });
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "no such file");
  }
}

}  // namespace
}  // namespace modelmill::backend
