#include "dialect/paced_reply.h"

#include <utility>

namespace modelmill {
namespace {

/// Bytes leave without our being told, so a reply that waits for that looks again by itself.
constexpr auto kLookAgain = std::chrono::milliseconds(10);

}  // namespace

void PacedReply::sent(size_t bytes) {
  const size_t unsent = unsent_bytes();
  backlog_.settle(bytes, unsent);
  if (stopped_ || !backlog_.needs_settling(unsent)) {
    look_again_.reset();
    return;
  }
  look_again_ = loop_.run_at(Clock::now() + kLookAgain, [weak = weak_from_this(), this] {
    const auto self = weak.lock();
    if (!self) return;
    const auto fired = std::move(look_again_);  // outlives this call
    sent(0);
  });
}

void PacedReply::stop() {
  stopped_ = true;
  look_again_.reset();
  backlog_.close();
}

}  // namespace modelmill
