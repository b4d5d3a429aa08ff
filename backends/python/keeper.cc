#include "keeper.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "modelmill/backend.hpp"

namespace modelmill::python {

Keeper& Keeper::get() {
  static Keeper* const keeper = new Keeper;  // never destroyed: workers may outlast main()
  return *keeper;
}

Keeper::Keeper() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!epoll_ || !wake_) throw backend::Error(MM_UNAVAILABLE, "no file descriptors are left for Python workers");
  watch(wake_.get(), EPOLLIN, [this](uint32_t) {
    uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
  });
  // Signals are the server's main thread's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "python keeper");
}

void Keeper::post(std::function<void()> task, Clock::time_point when) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.emplace(when, std::move(task));
  }
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void Keeper::watch(int fd, uint32_t events, std::function<void(uint32_t)> ready) {
  watched_[fd] = std::make_shared<std::function<void(uint32_t)>>(std::move(ready));
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    throw backend::Error(MM_UNAVAILABLE, "a Python worker can't be watched");
}

void Keeper::change(int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Keeper::unwatch(int fd) {
  if (watched_.erase(fd) > 0) (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

/// Runs what is due; returns milliseconds until the next task, -1 for none.
int Keeper::run_due() {
  while (true) {
    std::function<void()> task;
    {
      const std::lock_guard lock(mutex_);
      if (tasks_.empty()) return -1;
      const auto left = tasks_.begin()->first - Clock::now();
      if (left > Clock::duration::zero())
        return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
      task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
    }
    task();
  }
}

void Keeper::run() {
  std::array<epoll_event, 64> events;
  while (true) {
    const int timeout = run_due();
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout);
    for (int i = 0; i < count; ++i) {
      // One that an earlier event has ended is not called any more, and what is called lives through its call.
      const auto it = watched_.find(events[static_cast<size_t>(i)].data.fd);
      if (it == watched_.end()) continue;
      const auto ready = it->second;
      (*ready)(events[static_cast<size_t>(i)].events);
    }
  }
}

}  // namespace modelmill::python
