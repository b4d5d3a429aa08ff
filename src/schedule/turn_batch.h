#pragma once

#include <vector>

#include "schedule/version_scheduler.h"

namespace modelmill {

/// What the requests of one turn of one loop are gathered in.
class VersionScheduler::TurnBatch final : public Turn::Listener {
 public:
  explicit TurnBatch(VersionScheduler& version) : version_(version) {}

  void on_turn_end(Turn& turn) override {
    // The requests' pins keep the version alive only until they complete; this stays inside until it is done with it.
    Gate& gate = version_.gate();
    gate.enter_again();
    std::vector<InferRequestPtr> now;
    now.swap(held);
    version_.run_turn(turn, now);
    now.clear();
    if (held.empty()) held.swap(now);  // keeps the memory
    gate.leave();
  }

  std::vector<InferRequestPtr> held;

 private:
  VersionScheduler& version_;
};

}  // namespace modelmill
