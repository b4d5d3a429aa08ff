#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "catalog/version_stats.h"
#include "request/infer_request.h"

namespace modelmill {

/// What an execution counts of its requests that failed.
struct FailedRequests {
  std::atomic<int64_t> all{0};
  std::atomic<int64_t> uncounted{0};  // of them: those that are no request of a client's
};

/// A request of more rows than a batch may have, which runs as several. It is answered once, when all parts have ended:
/// with their rows in order, or with the error of the part that failed first; and it is counted as one request.
/// Thread-safe. Its parts keep it alive; the request keeps its version.
class SplitRequest final {
 public:
  /// One that runs some of the rows: the sink and the observer of the request that does.
  class Part final : public ResponseSink, public RequestObserver {
   public:
    Part(std::shared_ptr<SplitRequest> whole, size_t index) : whole_(std::move(whole)), index_(index) {}

    /// Stands for the whole request where requests are counted.
    bool counted() const { return index_ == 0; }
    /// An instance gets it, in an execution that counts what fails in it; its batch is known when the part completes.
    void begin(FailedRequests& failed, const BatchCut& batch) {
      failed_ = &failed;
      batch_ = &batch;
    }

    void on_completed(InferRequest& request, const Status& status) override;
    void on_response(InferResponse response, bool final, bool has_response) override;

   private:
    const std::shared_ptr<SplitRequest> whole_;
    const size_t index_;
    FailedRequests* failed_ = nullptr;
    const BatchCut* batch_ = nullptr;
  };

  /// Takes the request apart, without copying, into requests of at most `max_rows` rows, in order. They share its
  /// priority, its time limits and its cancellation, and the observer of each is a Part. Every input has its rows in
  /// front. `stats` and `time` are of the request's version.
  static std::vector<InferRequestPtr> split(InferRequestPtr request, int64_t max_rows, VersionStats& stats,
                                            TimeSource& time);

 private:
  SplitRequest(InferRequestPtr request, int64_t max_rows, VersionStats& stats, TimeSource& time);

  int64_t rows_of(size_t part) const;
  void take(size_t part, InferResponse response, bool has_response);
  void answer();
  InferResponse join();
  Status append(const InferResponse& response, size_t part, InferResponse& joined) const;

  const InferRequestPtr request_;
  const int64_t max_rows_;
  VersionStats& stats_;
  TimeSource& time_;
  std::vector<InferResponse> responses_;  // each written by its part
  std::atomic<size_t> left_;
  std::atomic<size_t> first_failed_;  // the number of parts: none
};

}  // namespace modelmill
