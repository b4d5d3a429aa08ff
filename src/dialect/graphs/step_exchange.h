#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "dialect/graphs/graph_run.h"
#include "wire/http.h"

namespace modelmill::graphs {

/// A request that a graph makes of a service in this server: what a dialect takes for one of a client's. Its answer is
/// the outcome of the step. Loop thread.
class StepExchange final : public wire::HttpExchange,
                           public Running,
                           public std::enable_shared_from_this<StepExchange> {
 public:
  StepExchange(wire::Loop& loop, wire::HttpRequest request, Done done)
      : loop_(loop), request_(std::move(request)), done_(std::move(done)) {}

  /// It fails for `cause` where there is no answer by then.
  void fail_at(TimePoint when, std::string cause);
  bool over() const { return over_; }

  wire::HttpRequest& request() override { return request_; }
  wire::Loop& loop() override { return loop_; }
  void reply(wire::HttpReply reply) override;
  void begin(wire::HttpReply head) override;
  void write(Chunks piece) override;
  void end() override;
  void on_abandoned(std::function<void()> callback) override;

  void cancel() override;

 private:
  void complete(Outcome outcome);
  /// Nothing more comes: whoever works on an answer may stop.
  void abandon();

  wire::Loop& loop_;
  wire::HttpRequest request_;
  Done done_;
  bool over_ = false;
  wire::HttpReply head_;  // of an answer in pieces
  std::function<void()> abandoned_;
  std::unique_ptr<wire::Loop::Timer> timer_;
};

}  // namespace modelmill::graphs
