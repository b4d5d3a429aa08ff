#include "runtime/turn.h"

namespace modelmill {
namespace {

thread_local Turn* t_current = nullptr;

}  // namespace

Turn* Turn::current() { return t_current; }
void Turn::set_current(Turn* turn) { t_current = turn; }

void Turn::end() {
  while (!listeners_.empty()) {
    running_.swap(listeners_);
    for (Listener* listener : running_) listener->on_turn_end(*this);
    running_.clear();
  }
}

}  // namespace modelmill
