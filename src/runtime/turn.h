#pragma once

#include <vector>

#include "base/clock.h"

namespace modelmill {

/// One turn of an event loop: everything that became ready together. Work that gains from being done together (running
/// a batch in place, writing replies) asks to be called when the turn ends. Belongs to the loop's thread.
class Turn {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    /// Called once for each at_end() of it, on the loop's thread. May call at_end() again (of itself or others).
    virtual void on_turn_end(Turn& turn) = 0;
  };

  /// The turn of the loop that runs on this thread, or null on every other thread.
  static Turn* current();

  /// Calls `listener` at the end of this turn, in the order of the asking. It must live until then.
  void at_end(Listener* listener) { listeners_.push_back(listener); }

  /// What is left of the time that models may run on the loop in this turn; see charge().
  Duration budget_left() const { return budget_left_; }
  void charge(Duration spent) { budget_left_ -= spent; }

  /// For the loop: makes this the thread's turn (null: none), refills the budget, runs the listeners.
  static void set_current(Turn* turn);
  void begin(Duration budget) { budget_left_ = budget; }
  void end();

 private:
  std::vector<Listener*> listeners_;
  std::vector<Listener*> running_;
  Duration budget_left_{};
};

}  // namespace modelmill
