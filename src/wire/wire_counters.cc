#include "wire/wire_counters.h"

namespace modelmill::wire {
namespace {

constexpr std::array<const char*, kProtocols> kProtocolNames{"http1", "http2", "grpc"};
constexpr std::array<const char*, kCloseReasons> kCloseNames{"client", "server", "broken", "cut"};

}  // namespace

WireCounters::WireCounters(size_t loops, MetricRegistry& metrics) : loops_(std::make_shared<Loops>(loops)) {
  // `of` finds a number in a loop's counters.
  const auto sum = [loops = loops_](auto of) {
    return [loops, of] {
      uint64_t total = 0;
      for (const LoopCounters& counters : *loops) total += of(counters);
      return static_cast<double>(total);
    };
  };
  series_.push_back(metrics.counter_from("modelmill_wire_received_bytes_total", "Bytes received from clients", {},
                                         sum([](const LoopCounters& c) { return c.received_bytes.value(); })));
  series_.push_back(metrics.counter_from("modelmill_wire_sent_bytes_total", "Bytes sent to clients", {},
                                         sum([](const LoopCounters& c) { return c.sent_bytes.value(); })));
  for (size_t i = 0; i < kProtocols; ++i) {
    const MetricLabels labels{{"protocol", kProtocolNames[i]}};
    series_.push_back(metrics.counter_from("modelmill_wire_requests_total",
                                           "Requests and calls by protocol, streams of HTTP/2 each one", labels,
                                           sum([i](const LoopCounters& c) { return c.begun[i].value(); })));
    series_.push_back(metrics.gauge_from("modelmill_wire_requests_open", "Requests and calls that have not ended",
                                         labels, sum([i](const LoopCounters& c) {
                                           // Ended first: what is counted there was counted as begun before.
                                           const uint64_t ended = c.ended[i].value();
                                           return c.begun[i].value() - ended;
                                         })));
  }
  for (size_t i = 0; i < kCloseReasons; ++i) {
    series_.push_back(metrics.counter_from("modelmill_wire_connections_closed_total", "Connections by why they ended",
                                           {{"reason", kCloseNames[i]}},
                                           sum([i](const LoopCounters& c) { return c.closed[i].value(); })));
  }
}

}  // namespace modelmill::wire
