#include "schedule/response_order.h"

#include <utility>

namespace modelmill {

/// Stands in for a request's sink. `waiting` is guarded by the order's mutex.
class ResponseOrder::Place final : public ResponseSink {
 public:
  explicit Place(std::shared_ptr<ResponseOrder> order) : order_(std::move(order)) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    // The last response may take this place out of the order; `order` and `*this` must survive that.
    const std::shared_ptr<ResponseOrder> order = order_;
    order->deliver(*this, {std::move(response), final, has_response});
  }

  std::shared_ptr<ResponseSink> sink;  // the client's
  std::deque<Response> waiting;

 private:
  const std::shared_ptr<ResponseOrder> order_;
};

void ResponseOrder::admit(InferRequest& request) {
  auto place = std::make_shared<Place>(shared_from_this());
  place->sink = request.replace_sink(place);
  MutexLock lock(mutex_);
  places_.push_back(std::move(place));
}

void ResponseOrder::deliver(Place& place, Response response) {
  mutex_.lock();
  place.waiting.push_back(std::move(response));
  if (!speaking_) {
    speaking_ = true;
    while (!places_.empty() && !places_.front()->waiting.empty()) {
      const std::shared_ptr<Place> front = places_.front();
      Response next = std::move(front->waiting.front());
      front->waiting.pop_front();
      if (next.final) places_.pop_front();
      mutex_.unlock();
      front->sink->on_response(std::move(next.response), next.final, next.has_response);
      mutex_.lock();
    }
    speaking_ = false;
  }
  mutex_.unlock();
}

}  // namespace modelmill
