#include "run_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace modelmill::backend {
namespace {

/// Stands for a request: the host only asks whether it was cancelled.
struct FakeRequest {
  std::atomic<bool> cancelled{false};
};

mm_host fake_host() {
  mm_host out{};
  out.struct_size = sizeof out;
  out.request_cancelled = [](mm_request* request) -> int32_t {
    return reinterpret_cast<FakeRequest*>(request)->cancelled ? 1 : 0;
  };
  return out;
}

class RunWatchTest : public testing::Test {
 protected:
  RunWatchTest() {
    host = &host_;
    mm_execute_args args{};
    args.struct_size = sizeof args;
    for (FakeRequest& request : requests_) handles_.push_back(reinterpret_cast<mm_request*>(&request));
    args.request_count = static_cast<uint32_t>(handles_.size());
    args.requests = handles_.data();
    execution_ = std::make_unique<Execution>(args);
  }

  void wait_for_termination() const {
    while (terminations_ == 0) std::this_thread::yield();
  }
  /// More looks than a run that nobody waits for outlives.
  void look_often() {
    for (int i = 0; i < 5; ++i) watch_.look();
  }

  mm_host host_ = fake_host();
  FakeRequest requests_[2];
  std::vector<mm_request*> handles_;
  std::unique_ptr<Execution> execution_;  // without a handle: its end tells the host nothing
  std::atomic<int> terminations_{0};
  RunWatch watch_{[this] { ++terminations_; }};
};

TEST_F(RunWatchTest, ARunThatNobodyWaitsForIsTerminated) {
  RunWatch::Run run(watch_, *execution_);
  requests_[0].cancelled = true;
  look_often();
  EXPECT_EQ(terminations_, 0) << "one request is still wanted";
  requests_[1].cancelled = true;
  wait_for_termination();
  EXPECT_TRUE(run.end());
}

TEST_F(RunWatchTest, NothingIsTerminatedAfterItsEndAndTheNextRunIsWatchedAnew) {
  requests_[0].cancelled = requests_[1].cancelled = true;
  {
    RunWatch::Run run(watch_, *execution_);
    wait_for_termination();
  }
  const int before = terminations_;
  look_often();
  EXPECT_EQ(terminations_, before);
  requests_[0].cancelled = false;
  RunWatch::Run run(watch_, *execution_);
  look_often();
  EXPECT_FALSE(run.end());
  EXPECT_EQ(terminations_, before);
}

TEST_F(RunWatchTest, ARunAfterALongQuietIsWatched) {
  { RunWatch::Run run(watch_, *execution_); }
  while (!RunWatch::is_asleep()) std::this_thread::yield();
  RunWatch::Run run(watch_, *execution_);
  requests_[0].cancelled = requests_[1].cancelled = true;
  wait_for_termination();
}

}  // namespace
}  // namespace modelmill::backend
