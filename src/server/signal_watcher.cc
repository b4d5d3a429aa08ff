#include "server/signal_watcher.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>

#include "base/check.h"

namespace modelmill {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void notify(int event_fd) {
  const uint64_t one = 1;
  // The write fails only when the counter is full, and then the watcher wakes anyway.
  [[maybe_unused]] const ssize_t n = ::write(event_fd, &one, sizeof one);
}

}  // namespace

SignalWatcher::SignalWatcher(Duration same_wish) : same_wish_(same_wish) {
  const sigset_t set = stop_signals();
  MM_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "signals cannot be blocked");
  ::signal(SIGPIPE, SIG_IGN);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  MM_CHECK(signal_fd_ >= 0 && event_fd_ >= 0, "the process has no file descriptors left");
  thread_ = std::thread([this] { watch(); });
}

SignalWatcher::~SignalWatcher() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  notify(event_fd_);
  thread_.join();
  ::close(signal_fd_);
  ::close(event_fd_);
}

int SignalWatcher::wait_signal() {
  MutexLock lock(mutex_);
  while (signal_ == 0) changed_.wait(mutex_);
  return signal_;
}

bool SignalWatcher::wait_signal_until(TimePoint when) {
  MutexLock lock(mutex_);
  while (signal_ == 0 && changed_.wait_until(mutex_, when) == std::cv_status::no_timeout) {
  }
  return signal_ != 0;
}

void SignalWatcher::wait_signal_or_wake() {
  MutexLock lock(mutex_);
  while (signal_ == 0 && !woken_) changed_.wait(mutex_);
}

void SignalWatcher::wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

int SignalWatcher::received() const {
  MutexLock lock(mutex_);
  return signal_;
}

void SignalWatcher::pause_until(TimePoint when) {
  MutexLock lock(mutex_);
  while (Clock::now() < when) changed_.wait_until(mutex_, when);
}

void SignalWatcher::exit_at(TimePoint when, int exit_code) {
  {
    MutexLock lock(mutex_);
    exit_when_ = when;
    exit_code_ = exit_code;
  }
  notify(event_fd_);
}

void SignalWatcher::watch() {
  for (;;) {
    int timeout_ms = -1;
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      if (exit_when_ != kNever) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(exit_when_ - Clock::now()).count();
        if (left <= 0) ::_exit(exit_code_);
        timeout_ms = static_cast<int>(std::min<int64_t>(left, 1'000'000));
      }
    }
    pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {event_fd_, POLLIN, 0}};
    if (::poll(fds, 2, timeout_ms) < 0) {
      MM_CHECK(errno == EINTR, "poll on signals failed");
      continue;
    }
    uint64_t events = 0;
    if (fds[1].revents != 0) {
      [[maybe_unused]] const ssize_t n = ::read(event_fd_, &events, sizeof events);
    }
    signalfd_siginfo info;
    while (::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      {
        MutexLock lock(mutex_);
        const TimePoint now = Clock::now();
        if (signal_ != 0 && now - signalled_ < same_wish_) continue;
        if (signal_ != 0) ::_exit(128 + static_cast<int>(info.ssi_signo));
        signal_ = static_cast<int>(info.ssi_signo);
        signalled_ = now;
      }
      changed_.notify_all();
    }
  }
}

}  // namespace modelmill
