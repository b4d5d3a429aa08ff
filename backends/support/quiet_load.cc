#include "support/quiet_load.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <exception>
#include <thread>

namespace modelmill::backend {
namespace {

constexpr int kNice = 10;  // a ninth of an ordinary thread's share, where both want one processor
// Who asks for long turns is interrupted at once by who wakes up and asks for ordinary ones (Linux 6.12 and later; the
// least and the most that can be asked for are 0.1 and 100 ms). Earlier kernels go by the priority alone.
constexpr uint64_t kTurnNs = 100'000'000;

/// What sched_setattr takes (sched_setattr(2)). The kernel's header with it can't be included beside glibc's <sched.h>.
struct Attributes {
  uint32_t size = sizeof(Attributes);
  uint32_t policy = SCHED_BATCH;
  uint64_t flags = 0;
  int32_t nice = kNice;
  uint32_t priority = 0;
  uint64_t runtime_ns = kTurnNs;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
static_assert(sizeof(Attributes) == 48);

/// The calling thread's, on Linux. Neither call asks for a privilege; where one is forbidden the load is not quiet.
void lower_priority() {
  Attributes wanted;
  if (syscall(SYS_sched_setattr, 0, &wanted, 0) != 0) setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
}

}  // namespace

void load_quietly(const std::function<void()>& load) {
  std::exception_ptr failure;
  std::thread([&] {
    lower_priority();
    try {
      load();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace modelmill::backend
