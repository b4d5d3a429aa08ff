// How many requests a queue takes, and for how long.

#include <algorithm>

#include "schedule/request_queue.h"

namespace modelmill {
namespace {

bool has_timeout(const QueuePolicy& policy) {
  return policy.default_timeout.count() > 0 || policy.allow_timeout_override;
}

}  // namespace

bool RequestQueue::Limits::has_timeouts() const {
  return has_timeout(policy) ||
         std::any_of(by_level.begin(), by_level.end(), [](const auto& level) { return has_timeout(level.second); });
}

TimePoint RequestQueue::expiry(const QueuePolicy& policy, const InferRequest& request, TimePoint now) {
  auto timeout = policy.default_timeout;
  const auto own = request.timeout;
  const bool overrides = policy.allow_timeout_override && own.count() > 0;
  if (overrides && (timeout.count() == 0 || own < timeout)) timeout = own;
  return timeout.count() > 0 ? now + timeout : kNever;
}

Status RequestQueue::check_room(const Level& level, int64_t bytes) const {
  if (level.policy->max_queue_size > 0 && level.size >= level.policy->max_queue_size)
    return unavailable("Exceeds maximum queue size: " + std::to_string(level.policy->max_queue_size) + " requests " +
                       (only_level_ ? "" : "of the same priority ") + "wait for model '" + model_ +
                       "'; try again later");
  if (size_ >= limits_.max_requests)
    return resource_exhausted("Exceeds maximum queue size: " + std::to_string(limits_.max_requests) +
                              " requests wait for model '" + model_ + "'; try again later");
  if (bytes > limits_.max_bytes - bytes_)
    return resource_exhausted("Exceeds maximum queue size: model '" + model_ + "' keeps at most " +
                              std::to_string(limits_.max_bytes) + " bytes of waiting requests, of which " +
                              std::to_string(bytes_) + " are taken, and this request has " + std::to_string(bytes) +
                              "; try again later");
  return ok_status();
}

/// Of what is in the background.
Status RequestQueue::check_share(const Level& background, int64_t bytes) const {
  Status room = check_room(background, bytes);
  if (room.ok() && (size_ >= limits_.max_requests / 2 || bytes > limits_.max_bytes / 2 - bytes_))
    room = resource_exhausted("the queue of model '" + model_ + "' is half full, which is all for the background");
  return room.ok() ? room : resource_exhausted(room.message());
}

}  // namespace modelmill
