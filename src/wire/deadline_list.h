#pragma once

#include <memory>

#include "base/clock.h"
#include "wire/loop.h"

namespace modelmill::wire {

/// Something with a deadline, a member or base of what it belongs to. In at most one list; leave it before destruction.
class DeadlineEntry {
 public:
  /// The deadline has passed; the entry has left the list.
  virtual void on_deadline() = 0;

 protected:
  DeadlineEntry() = default;
  ~DeadlineEntry() = default;
  bool in_list() const { return next_ != nullptr; }
  DeadlineEntry(const DeadlineEntry&) = delete;
  DeadlineEntry& operator=(const DeadlineEntry&) = delete;

 private:
  friend class DeadlineList;
  DeadlineEntry* previous_ = nullptr;
  DeadlineEntry* next_ = nullptr;
  TimePoint when_{};
};

/// The deadlines of one loop's calls. Adding and removing is linking: no allocation and, nearly always, no system call,
/// because most calls end long before their deadline. One timer stands at a lower bound of all; when it fires, the list
/// is walked. Belongs to the loop's thread.
class DeadlineList {
 public:
  explicit DeadlineList(Loop& loop) : loop_(loop) {}

  void add(DeadlineEntry& entry, TimePoint when);
  /// Nothing happens if the entry is not in the list.
  void remove(DeadlineEntry& entry);
  /// Drops the timer; for the loop's end.
  void clear_timer() { timer_.reset(); }

 private:
  struct Anchor final : DeadlineEntry {
    Anchor();
    void on_deadline() override {}
  };
  static void link(DeadlineEntry& before, DeadlineEntry& entry);
  static void unlink(DeadlineEntry& entry);
  void arm(TimePoint when);
  void fire();

  Loop& loop_;
  Anchor entries_;
  Anchor expired_;
  TimePoint armed_for_ = kNever;
  std::unique_ptr<Loop::Timer> timer_;
};

}  // namespace modelmill::wire
