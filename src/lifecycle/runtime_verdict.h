#pragma once

#include <optional>

namespace modelmill {

/// What clients got of a version over some time.
struct ServedTraffic {
  double seconds = 0;
  double requests = 0;
  double request_seconds = 0;  // of all requests together

  double rate() const { return seconds > 0 ? requests / seconds : 0; }
  double latency() const { return requests > 0 ? request_seconds / requests : 0; }
  double in_flight() const { return seconds > 0 ? request_seconds / seconds : 0; }
  ServedTraffic& operator+=(const ServedTraffic& more) {
    seconds += more.seconds;
    requests += more.requests;
    request_seconds += more.request_seconds;
    return *this;
  }
};

/// How many times better clients were served after a change than before: where as many requests were in flight (clients
/// that wait for their answers), how many more they got answered; where as many came, how much sooner they were
/// answered. Nothing where the traffic was another one. Pure.
std::optional<double> seen_gain(const ServedTraffic& before, const ServedTraffic& after);

}  // namespace modelmill
