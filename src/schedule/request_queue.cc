#include "schedule/request_queue.h"

#include <algorithm>

#include "schedule/admission.h"
#include "schedule/shape_class.h"

namespace modelmill {
namespace {

/// With a delay: how many classes are asked whether one of them can be cut, among how many requests.
constexpr int kClassesAsked = 16;
constexpr int kRequestsSearched = 512;

int64_t input_bytes(const InferRequest& request) {
  size_t total = 0;
  for (const Tensor& tensor : request.inputs) total += tensor.byte_size();
  return static_cast<int64_t>(total);
}

}  // namespace

struct RequestQueue::Node {
  InferRequestPtr request;
  int64_t rows = 1;
  int64_t bytes = 0;
  TimePoint expires = kNever;
  int level = 0;
  Class* in = nullptr;
  Node* before = nullptr;  // in the level
  Node* after = nullptr;
  Node* class_before = nullptr;
  Node* class_after = nullptr;
};

Status no_longer_wanted(const InferRequest& request, TimePoint now) {
  const auto reason = request.cancel ? request.cancel->reason() : CancelToken::Reason::kNone;
  if (reason == CancelToken::Reason::kDeadline || request.deadline <= now)
    return deadline_exceeded("the deadline of the request to model '" + request.model + "' passed before it was run");
  if (reason != CancelToken::Reason::kNone) return cancelled("the request was cancelled by its client");
  return ok_status();
}

RequestQueue::RequestQueue(std::string model, const Limits& limits, bool by_shape)
    : model_(std::move(model)), limits_(limits), by_shape_(by_shape) {}

RequestQueue::~RequestQueue() = default;

TimePoint RequestQueue::expiry(const InferRequest& request, TimePoint now) const {
  auto timeout = limits_.policy.default_timeout;
  const auto own = request.timeout;
  const bool overrides = limits_.policy.allow_timeout_override && own.count() > 0;
  if (overrides && (timeout.count() == 0 || own < timeout)) timeout = own;
  return timeout.count() > 0 ? now + timeout : kNever;
}

Status RequestQueue::check_room(int64_t bytes) const {
  if (limits_.policy.max_queue_size > 0 && size_ >= limits_.policy.max_queue_size)
    return unavailable("Exceeds maximum queue size: " + std::to_string(limits_.policy.max_queue_size) +
                       " requests wait for model '" + model_ + "'; try again later");
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

Status RequestQueue::push(InferRequestPtr& request, TimePoint now, std::vector<Dropped>& dropped) {
  const int64_t bytes = input_bytes(*request);
  sweep_credit_ += kSweptForEach;
  Status room = check_room(bytes);
  if (!room.ok() && sweep(now, dropped)) room = check_room(bytes);
  if (!room.ok()) return room;
  Node* node = new_node();
  node->rows = std::max<int64_t>(1, request->batch_rows);
  node->bytes = bytes;
  node->expires = expiry(*request, now);
  node->request = std::move(request);
  link(node, 0);
  last_class_rows_ = node->in->rows;
  return ok_status();
}

void RequestQueue::drop_unwanted(TimePoint now, std::vector<Dropped>& dropped) {
  sweep_credit_ += kSweptForEach;
  sweep(now, dropped);
}

/// Drops all that nobody wants any more, if looking through the queue has been paid for; true if there was any.
bool RequestQueue::sweep(TimePoint now, std::vector<Dropped>& dropped) {
  if (sweep_credit_ < size_) return false;
  sweep_credit_ = 0;
  const size_t before = dropped.size();
  for (const Level& level : levels_) {
    for (Node* node = level.first; node;) {
      Node* following = node->after;
      if (Status status = no_longer_wanted(*node->request, now); !status.ok()) drop(node, std::move(status), dropped);
      node = following;
    }
  }
  return dropped.size() > before;
}

RequestQueue::Node* RequestQueue::new_node() {
  if (free_.empty()) return &nodes_.emplace_back();
  Node* node = free_.back();
  free_.pop_back();
  return node;
}

void RequestQueue::link(Node* node, int level) {
  Level& at = levels_[level];
  uint64_t key = by_shape_ ? shape_class_hash(*node->request) : 0;
  auto it = at.classes.find(key);
  // Classes with the same hash live at the next free keys.
  while (by_shape_ && it != at.classes.end() && it->second.first &&
         !same_shape_class(*it->second.first->request, *node->request))
    it = at.classes.find(++key);
  if (it == at.classes.end()) it = at.classes.emplace(key, Class{.key = key}).first;

  Class& c = it->second;
  node->level = level;
  node->in = &c;
  node->before = at.last;
  node->after = nullptr;
  (at.last ? at.last->after : at.first) = node;
  at.last = node;
  node->class_before = c.last;
  node->class_after = nullptr;
  (c.last ? c.last->class_after : c.first) = node;
  c.last = node;

  c.rows += node->rows;
  rows_ += node->rows;
  bytes_ += node->bytes;
  ++size_;
  if (node->expires != kNever) expiries_.emplace(node->expires, node);
}

void RequestQueue::unlink(Node* node) {
  Level& at = levels_[node->level];
  Class& c = *node->in;
  (node->before ? node->before->after : at.first) = node->after;
  (node->after ? node->after->before : at.last) = node->before;
  (node->class_before ? node->class_before->class_after : c.first) = node->class_after;
  (node->class_after ? node->class_after->class_before : c.last) = node->class_before;

  c.rows -= node->rows;
  rows_ -= node->rows;
  bytes_ -= node->bytes;
  --size_;
  if (node->expires != kNever) expiries_.erase({node->expires, node});
  // The only class there can be stays, empty, to be used again.
  if (by_shape_ && !c.first) at.classes.erase(c.key);
  node->in = nullptr;
}

InferRequestPtr RequestQueue::take(Node* node) {
  unlink(node);
  InferRequestPtr request = std::move(node->request);
  node->expires = kNever;
  free_.push_back(node);
  return request;
}

void RequestQueue::drop(Node* node, Status status, std::vector<Dropped>& dropped) {
  dropped.push_back({take(node), std::move(status)});
}

bool RequestQueue::weed(Node* node, TimePoint now, std::vector<Dropped>& dropped) {
  if (Status status = no_longer_wanted(*node->request, now); !status.ok()) {
    drop(node, std::move(status), dropped);
    return true;
  }
  if (node->request->times.queued < too_late_before_) {
    drop(node,
         unavailable("the request waited so long in the queue of model '" + model_ +
                     "' that its latency objective can't be held; try again later"),
         dropped);
    return true;
  }
  if (now < node->expires) return false;
  if (limits_.policy.timeout_action == QueuePolicy::TimeoutAction::kReject) {
    drop(node, unavailable("Request timeout expired: it waited too long in the queue of model '" + model_ + "'"),
         dropped);
    return true;
  }
  unlink(node);
  node->expires = kNever;
  link(node, 1);
  return true;
}

/// Fills the view with what can be served of the class; false when nothing is left of it (then `c` may be gone).
bool RequestQueue::weed_class(Class& c, const BatchPolicy& policy, TimePoint now, std::vector<Dropped>& dropped) {
  view_rows_.clear();
  view_deadline_ = kNever;
  int64_t rows = 0;
  Node* node = c.first;
  while (node && rows < policy.max_rows) {
    Node* following = node->class_after;
    if (!weed(node, now, dropped)) {
      rows += node->rows;
      view_rows_.push_back(node->rows);
      view_deadline_ = std::min({view_deadline_, node->request->deadline, node->expires});
    }
    node = following;
  }
  return !view_rows_.empty();
}

RequestQueue::Next RequestQueue::next(const BatchPolicy& policy, TimePoint now, const InstanceView& instances,
                                      std::vector<Dropped>& dropped, const CostModel* costs) {
  Next best;
  if (instances.idle == 0) return best;
  ++search_;
  int asked = 0;
  int searched = 0;
  for (int level = 0; level < 2; ++level) {
    Node* node = levels_[level].first;
    while (node && asked < kClassesAsked && searched < kRequestsSearched) {
      ++searched;
      Class& c = *node->in;
      if (c.visited == search_) {
        node = node->after;
        continue;
      }
      c.visited = search_;
      ++asked;
      const CostCurve* cost = costs ? costs->find(instances.kind, c.key) : nullptr;
      too_late_before_ = too_late_before(policy, cost, now);
      const bool left = weed_class(c, policy, now, dropped);
      if (!left || c.first != node) {
        // The oldest went, so that a request of another class may come first now: look again.
        if (left) c.visited = 0;
        --asked;
        --searched;
        node = levels_[level].first;
        continue;
      }
      Node* head = node;
      const QueueView view{view_rows_, head->request->times.queued, view_deadline_, instances.arrivals};
      const BatchDecision decision = decide(policy, now, view, instances, cost);
      if (decision.action == BatchDecision::Action::kCut) {
        best.decision = decision;
        best.batch.reserve(decision.requests);
        for (size_t i = 0; i < decision.requests; ++i) {
          Node* following = head->class_after;
          best.batch.push_back(take(head));
          head = following;
        }
        return best;
      }
      if (decision.action == BatchDecision::Action::kWait &&
          (best.decision.action == BatchDecision::Action::kNothing || decision.until < best.decision.until))
        best.decision = decision;
      node = node->after;
    }
  }
  return best;
}

void RequestQueue::expire(TimePoint now, std::vector<Dropped>& dropped) {
  too_late_before_ = TimePoint::min();
  while (!expiries_.empty() && expiries_.begin()->first <= now) weed(expiries_.begin()->second, now, dropped);
}

std::vector<InferRequestPtr> RequestQueue::drain() {
  std::vector<InferRequestPtr> all;
  for (Level& level : levels_)
    while (level.first) all.push_back(take(level.first));
  return all;
}

}  // namespace modelmill
