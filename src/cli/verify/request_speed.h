#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "cli/verify/recorded_request.h"
#include "client/http_client.h"

namespace modelmill {

/// How fast a server has answered.
struct RequestSpeed {
  std::vector<std::chrono::nanoseconds> times;  // of requests that were answered, whatever with
  std::chrono::nanoseconds wall{0};
  size_t failed = 0;

  /// The time within which `share` of the requests were answered; 0: none was.
  std::chrono::nanoseconds quantile(double share) const;
  double per_second() const;
};

/// Sends all requests once, again from the first where there are more clients than requests; each client's one after
/// another, in a thread of its own. Adds what that took.
void measure_speed(std::span<const RecordedRequest> requests, std::span<const std::unique_ptr<HttpClient>> clients,
                   RequestSpeed& into);

}  // namespace modelmill
