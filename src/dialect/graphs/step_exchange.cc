#include "dialect/graphs/step_exchange.h"

#include <iterator>
#include <utility>

#include "wire/http_text.h"

namespace modelmill::graphs {
namespace {

Bytes in_one_piece(Chunks chunks) {
  if (chunks.empty()) return {};
  if (chunks.size() == 1) return std::move(chunks.front());
  std::string all;
  for (const Bytes& chunk : chunks) all += chunk.view();
  return Bytes::from_string(std::move(all));
}

Outcome outcome_of(wire::HttpReply reply) {
  Outcome out;
  out.status = reply.status;
  for (auto& [name, value] : reply.headers) {
    if (wire::equals_ignoring_case(name, "content-type"))
      out.content_type = std::move(value);
    else if (wire::equals_ignoring_case(name, "inference-header-content-length") ||
             wire::equals_ignoring_case(name, "retry-after"))
      out.headers.emplace_back(std::move(name), std::move(value));
  }
  out.body = in_one_piece(std::move(reply.body));
  return out;
}

}  // namespace

void StepExchange::fail_at(TimePoint when, std::string cause) {
  timer_ = loop_.run_at(when, [weak = weak_from_this(), cause = std::move(cause)] {
    const auto self = weak.lock();
    if (!self || self->over_) return;
    self->over_ = true;
    self->abandon();
    self->complete(Outcome::failure(500, cause));
  });
}

void StepExchange::reply(wire::HttpReply reply) {
  if (!over_) complete(outcome_of(std::move(reply)));
}

void StepExchange::begin(wire::HttpReply head) {
  if (!over_) head_ = std::move(head);
}

void StepExchange::write(Chunks piece) {
  if (!over_) std::move(piece.begin(), piece.end(), std::back_inserter(head_.body));
}

void StepExchange::end() { reply(std::move(head_)); }

void StepExchange::on_abandoned(std::function<void()> callback) {
  if (!over_) abandoned_ = std::move(callback);
}

void StepExchange::cancel() {
  if (std::exchange(over_, true)) {
    done_ = nullptr;
    return;
  }
  done_ = nullptr;
  timer_.reset();
  abandon();
}

void StepExchange::abandon() {
  if (const auto callback = std::exchange(abandoned_, nullptr)) callback();
}

/// Dialects answer where they are asked; who asked is told when that is over.
void StepExchange::complete(Outcome outcome) {
  over_ = true;
  abandoned_ = nullptr;
  loop_.post([self = shared_from_this(), outcome = std::move(outcome)]() mutable {
    self->timer_.reset();
    if (const Done done = std::exchange(self->done_, nullptr)) done(std::move(outcome));
  });
}

}  // namespace modelmill::graphs
