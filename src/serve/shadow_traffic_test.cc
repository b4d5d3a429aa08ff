// Copies of routed requests, through Inference: who gets them, when, and what they can't do.

#include "serve/shadow_traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "request/background.h"
#include "serve/inference.h"
#include "serve/testing/fake_version.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

/// The model a, which serves, and b, its shadow, which echoes too unless it is told otherwise.
class ShadowTrafficTest : public ::testing::Test {
 protected:
  void start(const std::string& json, ShadowLimits limits = {}) {
    for (const char* name : {"a", "b"}) {
      const auto description = testing::simple_description(name);
      fakes_.add(description, [this, description, name = std::string(name)](InferRequestPtr request) {
        Status status;
        {
          const MutexLock lock(mutex_);
          if (held_.contains(name)) return held_[name].push_back(std::move(request));
          status = failing_[name];
          if (changed_.contains(name)) request->inputs[0].data = {Bytes::copy_of(std::string(16, '@'))};
          if (name == "b") priorities_.push_back(request->priority);
        }
        if (!status.ok()) return request->fail(status);
        testing::echo(description, std::move(request));
      });
    }
    add_function();
    inference_ = std::make_unique<Inference>(fakes_.catalog(), nullptr, &routes_, nullptr, limits);
    publish(json);
  }
  void publish(const std::string& json) { routes_.publish({parse_route(json, "r").value()}); }
  /// The model f, which says of both answers what verdict_ is.
  void add_function() {
    auto description = testing::simple_description("f");
    description.signature.inputs = {{kComparisonInput, DataType::kUint8, {-1}, {}, false}};
    description.definition.max_batch_size = 0;
    fakes_.add(description, [this](InferRequestPtr request) {
      InferResponse response;
      {
        const MutexLock lock(mutex_);
        packed_.push_back(std::string(request->inputs[0].contiguous().view()));
        if (held_.contains("f")) return held_["f"].push_back(std::move(request));
        if (!failing_["f"].ok()) return request->fail(Status(failing_["f"]));
        response.outputs.push_back(measure("distance", verdict_));
        response.outputs.push_back(measure("limit", 0.5));
      }
      request->complete(std::move(response));
    });
  }
  static Tensor measure(const std::string& name, double value) {
    return {name, DataType::kFp64, {}, {Bytes::copy_of({reinterpret_cast<const char*>(&value), sizeof value})}};
  }
  ~ShadowTrafficTest() override {
    if (inference_) inference_->stop_shadows();
    held_.clear();  // what is held is answered
  }

  /// The request's sink, which has been answered unless a is held.
  std::shared_ptr<testing::RecordingSink> ask(bool sequence = false) {
    auto sink = std::make_shared<testing::RecordingSink>();
    auto request = std::make_unique<InferRequest>(sink);
    request->model = "r";
    request->id = "7";
    if (sequence) request->sequence.id = uint64_t{5};
    request->inputs.push_back({"x", DataType::kFp32, {1, 4}, {Bytes::copy_of(std::string(16, '\1'))}});
    auto routed = inference_->route("r");
    inference_->submit(std::move(request), nullptr, routed);
    return sink;
  }
  void hold(const std::string& model) {
    const MutexLock lock(mutex_);
    held_[model];
  }
  InferRequestPtr take(const std::string& model) {
    while (true) {
      {
        const MutexLock lock(mutex_);
        std::deque<InferRequestPtr>& waiting = held_[model];
        if (!waiting.empty()) {
          InferRequestPtr request = std::move(waiting.front());
          waiting.pop_front();
          return request;
        }
      }
      std::this_thread::yield();
    }
  }
  /// The room for copies is there again once what came of those before has been seen.
  void fill_room_again() {
    while (true) {
      EXPECT_EQ(ask()->finals, 1);
      const MutexLock lock(mutex_);
      if (!held_["b"].empty()) return;
    }
  }
  ShadowStats& stats() { return *routes_.find("r")->shadows().at(0).stats; }
  /// Once so many copies have had their outcome.
  ShadowCounts counts(uint64_t copies) {
    while (stats().counts().copied() < copies) std::this_thread::yield();
    return stats().counts();
  }

  MetricRegistry metrics_;
  Routes routes_{metrics_};
  testing::FakeCatalog fakes_;
  Mutex mutex_;
  std::map<std::string, Status> failing_;
  std::map<std::string, bool> changed_;
  std::map<std::string, std::deque<InferRequestPtr>> held_;
  std::vector<uint64_t> priorities_;
  std::vector<std::string> packed_;
  double verdict_ = 0.25;
  std::unique_ptr<Inference> inference_;
};

constexpr const char* kAll = R"({"split": {"a": 100}, "shadow": [{"target": "b"}]})";

TEST_F(ShadowTrafficTest, CopiesAreCompared) {
  start(kAll);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask()->finals, 1);
  const ShadowCounts same = counts(20);
  EXPECT_EQ(same.compared, 20U);
  EXPECT_EQ(same.disagreed, 0U);
  EXPECT_EQ(priorities_.at(0), kBackgroundPriority);
  changed_["b"] = true;
  EXPECT_EQ(ask()->responses.at(0).outputs.at(0).contiguous().view(), std::string(16, '\1'));
  EXPECT_EQ(counts(21).disagreed, 1U);
  const auto examples = stats().examples().list();
  ASSERT_EQ(examples.size(), 1U);
  EXPECT_EQ(examples[0].id, "7");
  EXPECT_EQ(examples[0].primary, "a");
  EXPECT_EQ(examples[0].primary_version, 1);
  EXPECT_EQ(examples[0].shadow_version, 1);
  EXPECT_EQ(examples[0].worst.output, "y");
  EXPECT_EQ(examples[0].inputs.at(0).contiguous().view(), std::string(16, '\1'));
  EXPECT_EQ(examples[0].answer.at(0).contiguous().view(), std::string(16, '\1'));
  EXPECT_EQ(examples[0].shadow_answer.at(0).contiguous().view(), std::string(16, '@'));
}

TEST_F(ShadowTrafficTest, NothingIsCopiedBeforeTheAnswer) {
  start(kAll);
  hold("a");
  hold("b");
  const auto sink = ask();
  InferRequestPtr primary = take("a");
  {
    const MutexLock lock(mutex_);
    EXPECT_TRUE(held_["b"].empty());
  }
  testing::echo(testing::simple_description("a"), std::move(primary));
  EXPECT_EQ(sink->finals, 1) << "while the shadow has not answered";
  testing::echo(testing::simple_description("b"), take("b"));
  EXPECT_EQ(counts(1).compared, 1U);
}

TEST_F(ShadowTrafficTest, FailuresAreCounted) {
  start(kAll);
  failing_["b"] = internal("b is broken");
  EXPECT_TRUE(ask()->responses.at(0).status.ok());
  EXPECT_EQ(counts(1).failed, 1U);
  EXPECT_EQ(stats().last_failure(), "b is broken");
  failing_["b"] = resource_exhausted("b is busy");
  ask();
  EXPECT_EQ(counts(2).shed, 1U);
  failing_["a"] = internal("a is broken");
  failing_["b"] = ok_status();
  EXPECT_FALSE(ask()->responses.at(0).status.ok());  // there is nothing to compare with
  failing_["a"] = ok_status();
  ask();
  EXPECT_EQ(counts(3).compared, 1U);
}

TEST_F(ShadowTrafficTest, MoreThanIsAllowedIsShed) {
  start(kAll, {.requests = 2, .bytes = 1 << 20});
  hold("b");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask()->finals, 1);
  EXPECT_EQ(counts(3).shed, 3U);
  for (int i = 0; i < 2; ++i) testing::echo(testing::simple_description("b"), take("b"));
  EXPECT_EQ(counts(5).compared, 2U);
  fill_room_again();
  testing::echo(testing::simple_description("b"), take("b"));
  while (stats().counts().compared < 3) std::this_thread::yield();
}

TEST_F(ShadowTrafficTest, MoreBytesThanAreAllowedAreShed) {
  start(kAll, {.requests = 100, .bytes = 31});  // a request and its answer share 16; the shadow's answer has as many
  EXPECT_EQ(ask()->finals, 1);
  const ShadowCounts found = counts(1);
  EXPECT_EQ(found.shed, 1U);
}

TEST_F(ShadowTrafficTest, WhatDoesNotAnswerInTimeIsGivenUp) {
  start(R"({"split": {"a": 100}, "shadow": [{"target": "b", "timeout": "20ms"}]})", {.requests = 1, .bytes = 1 << 20});
  hold("b");
  EXPECT_EQ(ask()->finals, 1);
  InferRequestPtr hung = take("b");
  EXPECT_EQ(counts(1).failed, 1U);
  EXPECT_THAT(stats().last_failure(), HasSubstr("no answer within 0.02 s"));
  EXPECT_TRUE(hung->cancelled());
  EXPECT_EQ(ask()->finals, 1);
  EXPECT_EQ(counts(2).shed, 1U) << "what hangs still has its memory";
  testing::echo(testing::simple_description("b"), std::move(hung));
  fill_room_again();
  EXPECT_EQ(stats().counts().compared, 0U) << "too late";
  testing::echo(testing::simple_description("b"), take("b"));
}

/// A route whose answers the model f compares, within a time.
std::string compared_by_function(const std::string& timeout) {
  return R"({"split": {"a": 100}, "shadow": [{"target": "b", "timeout": ")" + timeout +
         R"(", "compare": {"*": {"kind": "function", "model": "f"}}}]})";
}
const std::string kFunction = compared_by_function("600s");

TEST_F(ShadowTrafficTest, AFunctionSaysWhetherAnswersAgree) {
  start(kFunction);
  changed_["b"] = true;
  ask();
  EXPECT_EQ(counts(1).disagreed, 0U);
  EXPECT_THAT(packed_.at(0), HasSubstr(std::string(16, '\1')));
  EXPECT_THAT(packed_.at(0), HasSubstr(std::string(16, '@')));
  verdict_ = 0.75;
  ask();
  const ShadowCounts found = counts(2);
  EXPECT_EQ(found.compared, 2U);
  EXPECT_EQ(found.disagreed, 1U);
  EXPECT_EQ(found.worst, 1.5);
  const auto examples = stats().examples().list();
  ASSERT_EQ(examples.size(), 1U);
  EXPECT_EQ(examples[0].worst.kind, ComparisonKind::kFunction);
  EXPECT_EQ(examples[0].shadow_answer.at(0).contiguous().view(), std::string(16, '@'));
  EXPECT_EQ(examples[0].shadow_version, 1);
}

TEST_F(ShadowTrafficTest, AFunctionThatFailsIsNoFaultOfTheShadow) {
  start(kFunction);
  failing_["f"] = internal("it raises");
  ask();
  EXPECT_EQ(counts(1).not_compared, 1U);
  EXPECT_EQ(stats().last_comparison_failure(), "comparison by 'f': it raises");
  failing_["f"] = resource_exhausted("its queue is full");
  ask();
  EXPECT_EQ(counts(2).shed, 1U);
  failing_["f"] = ok_status();
  verdict_ = -1;
  ask();
  EXPECT_EQ(counts(3).not_compared, 2U);
  EXPECT_THAT(stats().last_comparison_failure(), HasSubstr("'distance' is -1"));
  EXPECT_EQ(stats().last_failure(), "");
  EXPECT_EQ(counts(3).failed, 0U);
}

TEST_F(ShadowTrafficTest, AFunctionThatHangsIsGivenUpAndItsMemoryCounts) {
  start(compared_by_function("200ms"), {.requests = 1, .bytes = 1 << 20});
  hold("f");
  ask();
  InferRequestPtr hung = take("f");
  EXPECT_EQ(counts(1).not_compared, 1U);
  EXPECT_THAT(stats().last_comparison_failure(), HasSubstr("no comparison by 'f' within 0.2 s"));
  EXPECT_TRUE(hung->cancelled());
  EXPECT_EQ(ask()->finals, 1);
  EXPECT_EQ(counts(2).shed, 1U) << "what hangs still has its memory";
  hung->fail(internal("too late"));
  hung.reset();
  {
    const MutexLock lock(mutex_);
    held_.clear();
  }
  publish(kFunction);  // the counts go on
  while (stats().counts().compared == 0) EXPECT_EQ(ask()->finals, 1);
  EXPECT_EQ(stats().counts().not_compared, 1U);
}

TEST_F(ShadowTrafficTest, WhatThereIsNoRoomToCompareIsShed) {
  start(kFunction, {.requests = 100, .bytes = 100});  // both answers are 16 bytes, and what the function gets is more
  EXPECT_EQ(ask()->finals, 1);
  EXPECT_EQ(counts(1).shed, 1U);
}

TEST_F(ShadowTrafficTest, SequencesAreNotCopied) {
  start(kAll);
  ask(/*sequence=*/true);
  ask();
  EXPECT_EQ(counts(1).compared, 1U);
  EXPECT_EQ(priorities_.size(), 1U);
}

TEST_F(ShadowTrafficTest, WhatTheShadowAnsweredItselfIsNotCopied) {
  start(R"({"split": {"a": 0, "b": 100}, "shadow": [{"target": "b"}, {"target": "a"}]})");
  ask();
  const auto& shadows = routes_.find("r")->shadows();
  while (shadows.at(1).stats->counts().copied() == 0) std::this_thread::yield();
  EXPECT_EQ(shadows.at(0).stats->counts().copied(), 0U);
}

TEST_F(ShadowTrafficTest, EndsWithCopiesOnTheirWay) {
  start(kAll);
  hold("b");
  ask();
  InferRequestPtr copy = take("b");
  inference_->stop_shadows();
  EXPECT_TRUE(copy->cancelled());
  testing::echo(testing::simple_description("b"), std::move(copy));
  EXPECT_EQ(ask()->finals, 1);
  EXPECT_EQ(stats().counts().copied(), 0U);
}

}  // namespace
}  // namespace modelmill
