#include "schedule/request_queue.h"

#include <algorithm>

#include "catalog/shape_class.h"
#include "request/background.h"
#include "schedule/admission.h"

namespace modelmill {
namespace {

/// With a delay: how many classes are asked whether one of them can be cut, among how many requests.
constexpr int kClassesAsked = 16;
constexpr int kRequestsSearched = 512;
/// So many levels are known before those without requests are forgotten.
constexpr size_t kLevelsKept = 64;
/// Before the first level, which is 1.
constexpr uint64_t kForemost = 0;

int64_t input_bytes(const InferRequest& request) {
  size_t total = 0;
  for (const Tensor& tensor : request.inputs) total += tensor.byte_size();
  return static_cast<int64_t>(total);
}

/// What is in the background learns that it was for the sake of others.
Status waited_too_long(const InferRequest& request, std::string why) {
  return is_background(request) ? resource_exhausted(std::move(why)) : unavailable(std::move(why));
}

}  // namespace

struct RequestQueue::Node {
  InferRequestPtr request;
  int64_t rows = 1;
  int64_t bytes = 0;
  TimePoint expires = kNever;
  Level* level = nullptr;
  Band* band = nullptr;
  Class* in = nullptr;
  Node* before = nullptr;  // in the band
  Node* after = nullptr;
  Node* class_before = nullptr;
  Node* class_after = nullptr;
};

RequestQueue::RequestQueue(std::string model, const Limits& limits, bool by_shape)
    : model_(std::move(model)), limits_(limits), by_shape_(by_shape) {
  if (limits_.levels <= 1) only_level_ = &add_level(1);
}

RequestQueue::~RequestQueue() = default;

int64_t RequestQueue::foremost() const {
  const auto it = levels_.find(kForemost);
  return it == levels_.end() ? 0 : it->second.size;
}

bool RequestQueue::is_background_band(const Bands::value_type& band) { return band.first.first == kBackgroundPriority; }

uint64_t RequestQueue::level_number(const InferRequest& request) const {
  if (is_foremost(request)) return kForemost;
  if (is_background(request)) return kBackgroundPriority;
  const bool named = request.priority > 0 && request.priority <= limits_.levels;
  return named ? request.priority : limits_.default_level;
}

RequestQueue::Level& RequestQueue::level_of(const InferRequest& request) {
  if (only_level_ && !is_background(request) && !is_foremost(request)) return *only_level_;
  const uint64_t number = level_number(request);
  const auto it = levels_.find(number);
  return it != levels_.end() ? it->second : add_level(number);
}

RequestQueue::Level& RequestQueue::add_level(uint64_t number) {
  if (levels_.size() >= kLevelsKept)
    for (auto it = levels_.begin(); it != levels_.end();) {
      if (it->second.size > 0) {
        ++it;
        continue;
      }
      bands_.erase({it->first, false});
      bands_.erase({it->first, true});
      it = levels_.erase(it);
    }
  Level& level = levels_[number];
  const auto own = limits_.by_level.find(number);
  level.policy = own != limits_.by_level.end() ? &own->second : &limits_.policy;
  level.in_time = &bands_[{number, false}];
  level.delayed = &bands_[{number, true}];
  return level;
}

int64_t RequestQueue::rows_before(const InferRequest& request) const {
  if (only_level_ && !is_foremost(request)) return is_background(request) ? rows_ : only_level_->rows;
  int64_t rows = 0;
  const uint64_t number = level_number(request);
  for (const auto& [at, level] : levels_)
    if (at <= number) rows += level.rows;
  return rows;
}

/// Drops what is in the background, the youngest first, as far as is needed; false when that isn't enough.
bool RequestQueue::make_room(const Level& level, int64_t bytes, std::vector<Dropped>& dropped) {
  if (level.policy->max_queue_size > 0 && level.size >= level.policy->max_queue_size) return false;
  for (const bool delayed : {true, false}) {
    const auto band = bands_.find({kBackgroundPriority, delayed});
    while (band != bands_.end() && band->second.last) {
      drop(band->second.last, resource_exhausted("the queue of model '" + model_ + "' needs the room for others"),
           dropped);
      if (check_room(level, bytes).ok()) return true;
    }
  }
  return false;
}

Status RequestQueue::push(std::span<InferRequestPtr> parts, TimePoint now, std::vector<Dropped>& dropped) {
  int64_t bytes = 0;
  for (const InferRequestPtr& part : parts) bytes += input_bytes(*part);
  sweep_credit_ += kSweptForEach;
  Level& level = level_of(*parts.front());
  const bool background = is_background(*parts.front());
  const auto check = [&] { return background ? check_share(level, bytes) : check_room(level, bytes); };
  Status room = check();
  if (!room.ok() && sweep(now, dropped)) room = check();
  if (!room.ok() && (background || !make_room(level, bytes, dropped))) return room;
  for (InferRequestPtr& part : parts) add(std::move(part), level, now);
  return ok_status();
}

void RequestQueue::add(InferRequestPtr request, Level& level, TimePoint now) {
  Node* node = new_node();
  node->rows = std::max<int64_t>(1, request->batch_rows);
  node->bytes = input_bytes(*request);
  node->expires = expiry(*level.policy, *request, now);
  node->request = std::move(request);
  node->level = &level;
  link(node, *level.in_time);
  last_class_rows_ = rows_of_class(*node);
  last_class_key_ = node->in->key;
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
  for (const auto& [place, band] : bands_) {
    for (Node* node = band.first; node;) {
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

/// The class in the band that the request belongs to, and its key; null and a free key if there is none.
RequestQueue::Class* RequestQueue::find_class(Band& band, const InferRequest& request, uint64_t& key) const {
  key = by_shape_ ? shape_class_hash(request) : 0;
  auto it = band.classes.find(key);
  // Classes with the same hash live at the next free keys.
  while (by_shape_ && it != band.classes.end() && it->second.first &&
         !same_shape_class(*it->second.first->request, request))
    it = band.classes.find(++key);
  return it != band.classes.end() ? &it->second : nullptr;
}

/// Of the node's class in all bands.
int64_t RequestQueue::rows_of_class(const Node& node) {
  int64_t rows = node.in->rows;
  for (auto& [place, band] : bands_) {
    if (&band == node.band || !band.first) continue;
    uint64_t key = 0;
    if (const Class* c = find_class(band, *node.request, key)) rows += c->rows;
  }
  return rows;
}

void RequestQueue::link(Node* node, Band& at) {
  uint64_t key = 0;
  Class* in = find_class(at, *node->request, key);
  if (!in) in = &at.classes.emplace(key, Class{.key = key}).first->second;

  Class& c = *in;
  node->band = &at;
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
  ++node->level->size;
  node->level->rows += node->rows;
  rows_ += node->rows;
  bytes_ += node->bytes;
  background_ += is_background(*node->request) ? 1 : 0;
  ++size_;
  if (node->expires != kNever) expiries_.emplace(node->expires, node);
}

void RequestQueue::unlink(Node* node) {
  Band& at = *node->band;
  Class& c = *node->in;
  (node->before ? node->before->after : at.first) = node->after;
  (node->after ? node->after->before : at.last) = node->before;
  (node->class_before ? node->class_before->class_after : c.first) = node->class_after;
  (node->class_after ? node->class_after->class_before : c.last) = node->class_before;

  c.rows -= node->rows;
  --node->level->size;
  node->level->rows -= node->rows;
  rows_ -= node->rows;
  bytes_ -= node->bytes;
  background_ -= is_background(*node->request) ? 1 : 0;
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
         waited_too_long(*node->request, "the request waited so long in the queue of model '" + model_ +
                                             "' that its latency objective can't be held; try again later"),
         dropped);
    return true;
  }
  if (now < node->expires) return false;
  if (node->level->policy->timeout_action == QueuePolicy::TimeoutAction::kReject) {
    drop(node,
         waited_too_long(*node->request,
                         "Request timeout expired: it waited too long in the queue of model '" + model_ + "'"),
         dropped);
    return true;
  }
  unlink(node);
  node->expires = kNever;
  link(node, *node->level->delayed);
  return true;
}

/// Adds to the view what can be served of the node's class, from the node on to the end of its band.
void RequestQueue::view_from(Node* node, const BatchPolicy& policy, TimePoint now, std::vector<Dropped>& dropped) {
  while (node && view_total_ < policy.max_rows) {
    Node* following = node->class_after;
    if (!weed(node, now, dropped)) {
      view_.push_back(node);
      view_rows_.push_back(node->rows);
      view_total_ += node->rows;
      view_oldest_ = std::min(view_oldest_, node->request->times.queued);
      view_deadline_ = std::min({view_deadline_, node->request->deadline, node->expires});
    }
    node = following;
  }
}

/// Fills the view with what can be served of the class, from its band and those behind it up to `end`; false when
/// nothing is left of it in its band (then `c` may be gone).
bool RequestQueue::view_class(Bands::iterator band, Bands::iterator end, Class& c, const BatchPolicy& policy,
                              TimePoint now, std::vector<Dropped>& dropped) {
  view_.clear();
  view_rows_.clear();
  view_total_ = 0;
  view_oldest_ = kNever;
  view_deadline_ = kNever;
  c.visited = search_;
  view_from(c.first, policy, now, dropped);
  if (view_.empty()) return false;
  const bool background = is_background_band(*band);
  for (++band; band != end && view_total_ < policy.max_rows; ++band) {
    if (!band->second.first || is_background_band(*band) != background) continue;
    uint64_t key = 0;
    Class* more = find_class(band->second, *view_.front()->request, key);
    if (!more) continue;
    more->visited = search_;
    view_from(more->first, policy, now, dropped);
  }
  return true;
}

RequestQueue::Next RequestQueue::next(const BatchPolicy& policy, TimePoint now, const InstanceView& instances,
                                      std::vector<Dropped>& dropped, const CostModel* costs, const LoadView& load,
                                      From from) {
  Next best;
  if (instances.idle == 0) return best;
  ++search_;
  int asked = 0;
  int searched = 0;
  const auto end = from == From::kAll ? bands_.end() : bands_.upper_bound({kForemost, true});
  for (auto band = bands_.begin(); band != end; ++band) {
    Node* node = band->second.first;
    if (is_background_band(*band) && !nobody_waits()) break;
    while (node && asked < kClassesAsked && searched < kRequestsSearched) {
      ++searched;
      Class& c = *node->in;
      if (c.visited == search_) {
        node = node->after;
        continue;
      }
      ++asked;
      const CostCurve* cost = costs ? costs->find(instances.kind, c.key) : nullptr;
      too_late_before_ = too_late_before(policy, cost, now);
      const bool left = view_class(band, end, c, policy, now, dropped);
      if (!left || c.first != node) {
        // The oldest went, so that a request of another class may come first now: look again.
        if (left) c.visited = 0;
        --asked;
        --searched;
        node = band->second.first;
        continue;
      }
      const QueueView view{view_rows_, view_oldest_, view_deadline_, rows_ <= view_total_};
      const BatchDecision decision = decide(policy, now, view, instances, cost, load);
      if (decision.action == BatchDecision::Action::kCut) {
        best.decision = decision;
        best.batch.reserve(decision.requests);
        for (size_t i = 0; i < decision.requests; ++i) best.batch.push_back(take(view_[i]));
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
  for (auto& [place, band] : bands_)
    while (band.first) all.push_back(take(band.first));
  return all;
}

}  // namespace modelmill
