#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "model/definition.h"
#include "request/infer_request.h"
#include "schedule/batch_policy.h"
#include "schedule/cost_model.h"

namespace modelmill {

/// The requests of one version that wait: by level of priority, and in each first come first served; what has waited
/// for too long and may wait on (TimeoutAction::kDelay) comes after the rest of its level. Each request belongs to a
/// shape class; a batch is cut from the class of the first request and takes later ones of that class only, also from
/// lower levels, so that unequal shapes never meet. Where executions take resources, what others wait for who hold
/// some comes before all levels. What is in the background (request/background.h) comes after all levels, never waits
/// in one batch with others nor runs while others wait, has no more than half of the room, and is dropped when others
/// need it. Passive and not synchronised: it decides and hands over, and never calls a request's sink.
class RequestQueue {
 public:
  struct Limits {
    int64_t max_requests = 0;
    int64_t max_bytes = 0;
    /// Of each level that has none of its own in `by_level`. Its max_queue_size is that of a level.
    QueuePolicy policy;
    /// Levels of priority; up to 1 all requests are of one. Those that name no level are of `default_level`.
    uint64_t levels = 0;
    uint64_t default_level = 0;
    std::map<uint64_t, QueuePolicy> by_level;
    /// Executions take resources: what others hold some for (InferRequest::holds_resources) comes before all levels.
    bool holders_first = false;

    /// Waiting can come to an end by itself.
    bool has_timeouts() const;
  };

  /// A request that leaves without being served, and why.
  struct Dropped {
    InferRequestPtr request;
    Status status;
  };

  /// `model` is for messages. With `by_shape` false all requests are of one class.
  RequestQueue(std::string model, const Limits& limits, bool by_shape);
  ~RequestQueue();
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  /// Takes the request, or says why not (and leaves it with the caller): UNAVAILABLE when the model's own bound is
  /// reached, RESOURCE_EXHAUSTED when the server's is. Before it refuses it drops what nobody wants any more.
  Status push(InferRequestPtr& request, TimePoint now, std::vector<Dropped>& dropped) {
    return push(std::span(&request, 1), now, dropped);
  }
  /// Takes all parts of a request, or none. They are let in as one request with all of their bytes.
  Status push(std::span<InferRequestPtr> parts, TimePoint now, std::vector<Dropped>& dropped);

  /// A request was cancelled that is perhaps in here: drops what nobody wants any more. The whole queue is looked
  /// through when enough pushes and cancellations have paid for it, so a queue far longer than kSweptForEach keeps some
  /// a little longer.
  void drop_unwanted(TimePoint now, std::vector<Dropped>& dropped);

  struct Next {
    BatchDecision decision;
    std::vector<InferRequestPtr> batch;  // when the decision is to cut
  };
  /// What a batch is cut from.
  enum class From { kAll, kForemost };
  /// Asks the policy, and takes out the batch that it cuts. Requests found cancelled or too late on the way go to
  /// `dropped`. `costs` may be null.
  Next next(const BatchPolicy& policy, TimePoint now, const InstanceView& instances, std::vector<Dropped>& dropped,
            const CostModel* costs = nullptr, const LoadView& load = {}, From from = From::kAll);

  /// Takes out, or moves behind, every request whose time in the queue is over.
  void expire(TimePoint now, std::vector<Dropped>& dropped);
  /// When expire() has something to do next.
  TimePoint next_expiry() const { return expiries_.empty() ? kNever : expiries_.begin()->first; }

  /// The requests that each push or cancellation pays for looking at.
  static constexpr int64_t kSweptForEach = 64;

  /// Takes everything out.
  std::vector<InferRequestPtr> drain();

  bool empty() const { return size_ == 0; }
  /// Those that come before all levels (Limits::holders_first).
  int64_t foremost() const;
  /// It has nothing, but perhaps in the background.
  bool nobody_waits() const { return size_ == background_; }
  int64_t size() const { return size_; }
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return bytes_; }
  /// Rows of the levels that come before the end of this request's.
  int64_t rows_before(const InferRequest& request) const;
  /// Rows of the class of the request that was pushed last.
  int64_t rows_of_last_class() const { return last_class_rows_; }
  /// Its key: what tells one shape from another, but for those with the same hash while both wait.
  uint64_t last_class() const { return last_class_key_; }

 private:
  struct Node;
  /// The requests of one class in one band, oldest first. Never empty.
  struct Class {
    uint64_t key = 0;
    Node* first = nullptr;
    Node* last = nullptr;
    int64_t rows = 0;
    uint64_t visited = 0;  // by which search it was last looked at
  };
  /// Requests in order: those of a level that are in time, or those that were delayed.
  struct Band {
    Node* first = nullptr;
    Node* last = nullptr;
    std::unordered_map<uint64_t, Class> classes;
  };
  /// A level's number, and whether delayed: in the order in which they are served.
  using Bands = std::map<std::pair<uint64_t, bool>, Band>;
  struct Level {
    const QueuePolicy* policy = nullptr;
    Band* in_time = nullptr;
    Band* delayed = nullptr;
    int64_t size = 0;
    int64_t rows = 0;
  };

  static bool is_background_band(const Bands::value_type& band);
  Status check_share(const Level& background, int64_t bytes) const;
  bool make_room(const Level& level, int64_t bytes, std::vector<Dropped>& dropped);
  bool is_foremost(const InferRequest& request) const { return limits_.holders_first && request.holds_resources; }
  uint64_t level_number(const InferRequest& request) const;
  Level& level_of(const InferRequest& request);
  Level& add_level(uint64_t number);
  Class* find_class(Band& band, const InferRequest& request, uint64_t& key) const;
  int64_t rows_of_class(const Node& node);
  void add(InferRequestPtr request, Level& level, TimePoint now);
  Node* new_node();
  void link(Node* node, Band& band);
  void unlink(Node* node);
  InferRequestPtr take(Node* node);
  void drop(Node* node, Status status, std::vector<Dropped>& dropped);
  /// Drops or delays the node when it must not be served now; false when it is fit to be.
  bool weed(Node* node, TimePoint now, std::vector<Dropped>& dropped);
  bool view_class(Bands::iterator band, Bands::iterator end, Class& c, const BatchPolicy& policy, TimePoint now,
                  std::vector<Dropped>& dropped);
  void view_from(Node* node, const BatchPolicy& policy, TimePoint now, std::vector<Dropped>& dropped);
  Status check_room(const Level& level, int64_t bytes) const;
  bool sweep(TimePoint now, std::vector<Dropped>& dropped);
  static TimePoint expiry(const QueuePolicy& policy, const InferRequest& request, TimePoint now);

  const std::string model_;
  const Limits limits_;
  const bool by_shape_;
  std::deque<Node> nodes_;  // all there ever were at a time; the unused are in free_
  std::vector<Node*> free_;
  std::map<uint64_t, Level> levels_;  // those that have been seen; their number is bounded by what waits
  Bands bands_;
  Level* only_level_ = nullptr;  // when there are no priorities: of all but the background
  std::set<std::pair<TimePoint, Node*>> expiries_;
  /// What a batch of the class that is looked at could have, in order.
  std::vector<Node*> view_;
  std::vector<int64_t> view_rows_;
  int64_t view_total_ = 0;
  TimePoint view_oldest_{};
  TimePoint view_deadline_ = kNever;
  TimePoint too_late_before_ = TimePoint::min();  // for the class that is looked at
  uint64_t search_ = 0;
  int64_t size_ = 0;
  int64_t background_ = 0;  // of them
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
  int64_t last_class_rows_ = 0;
  uint64_t last_class_key_ = 0;
  int64_t sweep_credit_ = 0;  // requests that may be looked at
};

}  // namespace modelmill
