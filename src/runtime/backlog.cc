#include "runtime/backlog.h"

#include <algorithm>

#include "runtime/turn.h"

namespace modelmill {

void Backlog::add(size_t bytes) {
  MutexLock lock(mutex_);
  coming_ += bytes;
}

void Backlog::wait_for_room() {
  if (Turn::current() != nullptr) return;
  MutexLock lock(mutex_);
  if (waiting() <= most_) return;
  while (!closed_ && waiting() > most_ / 2) room_.wait(mutex_);
}

void Backlog::settle(size_t bytes, size_t unsent) {
  MutexLock lock(mutex_);
  coming_ -= std::min(bytes, coming_);
  unsent_ = unsent;
  if (waiting() <= most_ / 2) room_.notify_all();
}

void Backlog::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  room_.notify_all();
}

}  // namespace modelmill
