#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
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

/// Makes a client of one server, for one thread.
using MakeClient = std::function<std::unique_ptr<HttpClient>()>;

/// Sends all requests once, `concurrency` of them at a time, each thread over a connection of its own, and adds what
/// that took.
void measure_speed(std::span<const RecordedRequest> requests, int concurrency, const MakeClient& make_client,
                   RequestSpeed& into);

}  // namespace modelmill
