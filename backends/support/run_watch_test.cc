#include "run_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace modelmill::backend {
namespace {

using namespace std::chrono_literals;

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

  bool terminated_within(std::chrono::milliseconds time) const {
    const auto end = std::chrono::steady_clock::now() + time;
    while (terminations_ == 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
    return terminations_ > 0;
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
  EXPECT_FALSE(terminated_within(100ms)) << "one request is still wanted";
  requests_[1].cancelled = true;
  EXPECT_TRUE(terminated_within(10s));
  EXPECT_TRUE(run.end());
}

TEST_F(RunWatchTest, NothingIsTerminatedAfterItsEndAndTheNextRunIsWatchedAnew) {
  requests_[0].cancelled = requests_[1].cancelled = true;
  {
    RunWatch::Run run(watch_, *execution_);
    EXPECT_TRUE(terminated_within(10s));
  }
  const int before = terminations_;
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(terminations_, before);
  requests_[0].cancelled = false;
  RunWatch::Run run(watch_, *execution_);
  std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(run.end());
  EXPECT_EQ(terminations_, before);
}

TEST_F(RunWatchTest, ARunAfterALongQuietIsWatched) {
  { RunWatch::Run run(watch_, *execution_); }
  std::this_thread::sleep_for(1500ms);  // the thread sleeps by now
  RunWatch::Run run(watch_, *execution_);
  requests_[0].cancelled = requests_[1].cancelled = true;
  EXPECT_TRUE(terminated_within(10s));
}

}  // namespace
}  // namespace modelmill::backend
