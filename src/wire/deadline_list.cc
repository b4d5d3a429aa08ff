#include "wire/deadline_list.h"

#include <algorithm>

namespace modelmill::wire {
namespace {

/// The list is walked at most this often, so that many deadlines close to each other cost one walk.
constexpr Duration kSlack = std::chrono::milliseconds(1);

}  // namespace

DeadlineList::Anchor::Anchor() {
  previous_ = this;
  next_ = this;
}

void DeadlineList::link(DeadlineEntry& before, DeadlineEntry& entry) {
  entry.previous_ = before.previous_;
  entry.next_ = &before;
  before.previous_->next_ = &entry;
  before.previous_ = &entry;
}

void DeadlineList::unlink(DeadlineEntry& entry) {
  entry.previous_->next_ = entry.next_;
  entry.next_->previous_ = entry.previous_;
  entry.previous_ = nullptr;
  entry.next_ = nullptr;
}

void DeadlineList::add(DeadlineEntry& entry, TimePoint when) {
  entry.when_ = when;
  link(entries_, entry);
  if (when < armed_for_) arm(when);
}

void DeadlineList::remove(DeadlineEntry& entry) {
  if (entry.next_ != nullptr) unlink(entry);
}

void DeadlineList::arm(TimePoint when) {
  armed_for_ = when;
  timer_ = loop_.run_at(when, [this] { fire(); });
}

void DeadlineList::fire() {
  armed_for_ = kNever;
  const TimePoint now = Clock::now();
  TimePoint earliest = kNever;
  for (DeadlineEntry* entry = entries_.next_; entry != &entries_;) {
    DeadlineEntry* next = entry->next_;
    if (entry->when_ <= now) {
      unlink(*entry);
      link(expired_, *entry);
    } else {
      earliest = std::min(earliest, entry->when_);
    }
    entry = next;
  }
  while (expired_.next_ != &expired_) {  // on_deadline() may remove other entries, also from here
    DeadlineEntry* entry = expired_.next_;
    unlink(*entry);
    entry->on_deadline();
  }
  if (earliest != kNever && earliest < armed_for_) arm(std::max(earliest, now + kSlack));
}

}  // namespace modelmill::wire
