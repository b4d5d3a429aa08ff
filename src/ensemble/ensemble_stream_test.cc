// Requests to ensembles with members that give any number of answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "catalog/ensemble_levels.h"
#include "ensemble/testing/ensemble_test.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using testing::fails;
using testing::FakeMembers;
using testing::floats;
using testing::floats_of;
using testing::gives;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

InferResponse answer_of(const InferRequest& request, float value) {
  InferResponse response;
  for (const RequestedOutput& output : request.outputs) response.outputs.push_back(floats(output.name, {value}));
  return response;
}

/// Gives each of the values as an answer, then the end by itself.
FakeMembers::Answer streams(std::vector<float> values) {
  return [values = std::move(values)](InferRequestPtr request) {
    for (const float value : values) request->respond(answer_of(*request, value));
    request->finish();
  };
}

/// Gives one answer, `factor` times its input.
FakeMembers::Answer times(float factor) {
  return [factor](InferRequestPtr request) {
    request->complete(answer_of(*request, factor * floats_of(request->inputs.at(0)).at(0)));
  };
}

class EnsembleStreamTest : public EnsembleRunTest {
 protected:
  void make_stream(const std::shared_ptr<EnsemblePlan>& plan, const std::vector<const char*>& decoupled,
                   size_t most_under_way = 0) {
    for (EnsemblePlan::Step& step : plan->steps)
      for (const char* name : decoupled) step.decoupled = step.decoupled || step.model == name;
    const Status status = split_into_levels(*plan, most_under_way);
    ASSERT_TRUE(status.ok()) << status.to_string();
    ASSERT_NE(plan->levels, nullptr);
    make(plan);
  }
  /// d gives any number of answers, and m makes something of each.
  std::shared_ptr<EnsemblePlan> chain() {
    return plan_of({{"m", {{"x", "part"}}, {{"y", "out"}}}, {"d", {{"x", "in"}}, {{"y", "part"}}}}, {"in"}, {"out"});
  }
  static std::vector<float> heard(const Asked& asked, size_t output = 0) {
    std::vector<float> out;
    for (const InferResponse& response : asked.sink->responses)
      if (response.status.ok()) out.push_back(floats_of(response.outputs.at(output)).at(0));
    return out;
  }
};

TEST_F(EnsembleStreamTest, EachAnswerFlowsThroughTheStepsBehind) {
  make_stream(chain(), {"d"});
  members_.add("d", streams({1, 2, 3}));
  members_.add("m", times(10));
  const Asked asked = ask("in");
  EXPECT_THAT(heard(asked), ElementsAre(10, 20, 30));
  EXPECT_EQ(asked.sink->finals, 1);
  EXPECT_EQ(asked.sink->responses.at(0).version, 7);
  EXPECT_THAT(members_.asked, ElementsAre("d", "m", "m", "m"));
  expect_nothing_held();
  const VersionStats::View view = stats_->view();
  EXPECT_EQ(view.success.count, 1U);
  EXPECT_EQ(view.execution_count, 1U) << "of a request, however many answers it has";
}

TEST_F(EnsembleStreamTest, NoAnswerIsNone) {
  make_stream(chain(), {"d"});
  members_.add("d", streams({}));
  members_.add("m", times(10));
  const Asked asked = ask("in");
  EXPECT_THAT(asked.sink->responses, IsEmpty());
  EXPECT_EQ(asked.sink->finals, 1);
  expect_nothing_held();
}

TEST_F(EnsembleStreamTest, AMembersFinalAnswerIsTheLastOfTheEnsemble) {
  make_stream(chain(), {"d"});
  members_.add("d", [](InferRequestPtr request) {
    request->respond(answer_of(*request, 1));
    request->complete(answer_of(*request, 2));
  });
  members_.add("m", times(10));
  const Asked asked = ask("in");
  EXPECT_THAT(heard(asked), ElementsAre(10, 20));
  EXPECT_EQ(asked.sink->finals, 1);
}

TEST_F(EnsembleStreamTest, ADecoupledMemberMayBeTheLast) {
  make_stream(plan_of({{"d", {{"x", "made"}}, {{"y", "out"}}}, {"m", {{"x", "in"}}, {{"y", "made"}}}}, {"in"}, {"out"}),
              {"d"});
  members_.add("m", gives(4));
  members_.add("d", [](InferRequestPtr request) {
    EXPECT_THAT(floats_of(*request->input("x")), ElementsAre(4));
    streams({1, 2})(std::move(request));
  });
  EXPECT_THAT(heard(ask("in")), ElementsAre(1, 2));
}

TEST_F(EnsembleStreamTest, AnswersKeepTheMembersOrder) {
  make_stream(chain(), {"d"});
  members_.add("d", streams({1, 2, 3}));
  members_.add("m", gives(0));
  members_.hold("m");
  const Asked asked = ask("in");
  ASSERT_EQ(members_.waiting["m"].size(), 3U) << "side by side";
  InferRequestPtr first = members_.take("m");
  times(10)(members_.take("m"));
  times(10)(members_.take("m"));
  EXPECT_THAT(asked.sink->responses, IsEmpty());
  times(10)(std::move(first));
  EXPECT_THAT(heard(asked), ElementsAre(10, 20, 30));
  EXPECT_EQ(asked.sink->finals, 1);
  expect_nothing_held();
}

TEST_F(EnsembleStreamTest, WhatCameBeforeGoesWithEachAnswer) {
  // sum reads each part together with what a made of the request, and the request itself.
  make_stream(plan_of({{"a", {{"x", "in"}}, {{"y", "made"}}},
                       {"d", {{"x", "in"}}, {{"y", "part"}}},
                       {"sum", {{"p", "part"}, {"q", "made"}, {"r", "in"}}, {{"y", "out"}}}},
                      {"in"}, {"out", "made"}),
              {"d"});
  members_.add("a", gives(5));
  members_.add("d", streams({1, 2}));
  members_.add("sum", [](InferRequestPtr request) {
    float sum = 0;
    for (const char* name : {"p", "q", "r"}) sum += floats_of(*request->input(name)).at(0);
    request->complete(answer_of(*request, sum));
  });
  const Asked asked = ask("in");
  EXPECT_THAT(heard(asked), ElementsAre(7, 8)) << "part + 5 + 1";
  EXPECT_THAT(heard(asked, 1), ElementsAre(5, 5));
  EXPECT_THAT(members_.asked, ElementsAre("a", "d", "sum", "sum"));
}

TEST_F(EnsembleStreamTest, OneBehindAnotherIsAskedAboutOneAnswerAfterTheOther) {
  make_stream(plan_of({{"d", {{"x", "in"}}, {{"y", "part"}}},
                       {"e", {{"x", "part"}}, {{"y", "piece"}}},
                       {"m", {{"x", "piece"}}, {{"y", "out"}}}},
                      {"in"}, {"out"}),
              {"d", "e"});
  members_.add("d", streams({1, 2, 3}));
  members_.add("e", [](InferRequestPtr request) {
    const float part = floats_of(*request->input("x")).at(0);
    if (part == 2) return request->finish();
    request->respond(answer_of(*request, part));
    request->complete(answer_of(*request, part + 0.5F));
  });
  members_.add("m", times(10));
  const Asked asked = ask("in");
  EXPECT_THAT(heard(asked), ElementsAre(10, 15, 30, 35));
  EXPECT_EQ(asked.sink->finals, 1);
  expect_nothing_held();
}

TEST_F(EnsembleStreamTest, OutputsThatDoNotHangOnItComeOnce) {
  make_stream(plan_of({{"a", {{"x", "in"}}, {{"y", "made"}}},
                       {"d", {{"x", "made"}}, {{"y", "part"}}},
                       {"m", {{"x", "part"}}, {{"y", "out"}}}},
                      {"in"}, {"out", "made"}),
              {"d"});
  members_.add("a", gives(5));
  members_.add("d", streams({1, 2}));
  members_.add("m", times(10));
  EXPECT_THAT(heard(ask("in", {{"made"}})), ElementsAre(5));
  EXPECT_THAT(members_.asked, ElementsAre("a"));
}

TEST_F(EnsembleStreamTest, TheFirstErrorEndsIt) {
  make_stream(chain(), {"d"});
  InferRequestPtr running;
  members_.add("d", [&](InferRequestPtr request) {
    request->respond(answer_of(*request, 1));
    request->respond(answer_of(*request, 2));
    running = std::move(request);
  });
  members_.add("m", [](InferRequestPtr request) {
    if (floats_of(request->inputs.at(0)).at(0) == 2) return request->fail(internal("broken"));
    times(10)(std::move(request));
  });
  const Asked asked = ask("in");
  EXPECT_THAT(heard(asked), ElementsAre(10)) << "what came before it was heard";
  ASSERT_EQ(asked.sink->finals, 1);
  EXPECT_EQ(asked.sink->responses.back().status.message(), "in ensemble 'e', model 'm': broken");
  EXPECT_TRUE(running->cancelled());
  EXPECT_FALSE(asked.cancel->cancelled()) << "that is the client's own";
  EXPECT_EQ(version_->gate().inside_approx(), 0U) << "the ensemble may go while a member still works";
  version_.reset();
  running->respond(answer_of(*running, 3));
  running->finish();
  running.reset();
  EXPECT_EQ(asked.sink->responses.size(), 2U);
  EXPECT_EQ(members_.versions["d"]->gate().inside_approx(), 0U);
  EXPECT_EQ(members_.versions["m"]->gate().inside_approx(), 0U);
  EXPECT_EQ(stats_->view().fail.count, 1U);
}

TEST_F(EnsembleStreamTest, AnErrorOfTheDecoupledMemberNamesIt) {
  make_stream(chain(), {"d"});
  members_.add("d", [](InferRequestPtr request) {
    request->respond(answer_of(*request, 1));
    request->fail(invalid_argument("no more"));
  });
  members_.add("m", times(10));
  const Asked asked = ask("in");
  EXPECT_THAT(heard(asked), ElementsAre(10));
  EXPECT_EQ(asked.sink->responses.back().status.code(), Code::kInvalidArgument);
  EXPECT_EQ(asked.sink->responses.back().status.message(), "in ensemble 'e', model 'd': no more");
}

TEST_F(EnsembleStreamTest, AClientThatGoesEndsItAtOnce) {
  make_stream(chain(), {"d"});
  InferRequestPtr running;
  members_.add("d", [&](InferRequestPtr request) {
    request->respond(answer_of(*request, 1));
    running = std::move(request);
  });
  members_.add("m", gives(0));
  members_.hold("m");
  const Asked asked = ask("in");
  asked.cancel->cancel(CancelToken::Reason::kClientGone);
  EXPECT_TRUE(running->cancelled()) << "it is a part of the whole";
  version_->drop_unwanted();
  EXPECT_EQ(asked.sink->finals, 1);
  EXPECT_EQ(asked.sink->responses.back().status.code(), Code::kCancelled);
  running->fail(cancelled("as it was told"));
  running.reset();
  expect_nothing_held();
}

TEST_F(EnsembleStreamTest, AMemberThatIsMissingIsNamed) {
  make_stream(chain(), {"d"});
  members_.add("d", streams({1}));
  const Asked asked = ask("in");
  EXPECT_EQ(asked.sink->responses.back().status.code(), Code::kUnavailable);
  EXPECT_THAT(asked.sink->responses.back().status.message(), HasSubstr("in ensemble 'e', model 'm': "));
}

TEST_F(EnsembleStreamTest, AMemberThatIsSwappedServesTheRequestToItsEnd) {
  make_stream(chain(), {"d"});
  InferRequestPtr running;
  members_.add("d", [&](InferRequestPtr request) { running = std::move(request); });
  members_.add("m", times(10));
  const Asked asked = ask("in");
  members_.versions["m"]->gate().close();
  running->respond(answer_of(*running, 1));
  EXPECT_THAT(heard(asked), ElementsAre(10));
  running->finish();
  running.reset();
  EXPECT_EQ(asked.sink->finals, 1);
  expect_nothing_held();
}

TEST_F(EnsembleStreamTest, AMemberIsHeldUpWhileTooMuchIsUnderWay) {
  make_stream(chain(), {"d"}, /*most_under_way=*/2);
  Mutex mutex;
  CondVar changed;
  std::deque<InferRequestPtr> waiting;
  size_t made = 0;
  members_.add("d", gives(0));
  members_.hold("d");
  members_.add("m", [&](InferRequestPtr request) {
    const MutexLock lock(mutex);
    waiting.push_back(std::move(request));
    changed.notify_all();
  });
  const Asked asked = ask("in");
  std::thread member([&, request = members_.take("d")]() mutable {
    for (int i = 1; i <= 5; ++i) {
      request->respond(answer_of(*request, static_cast<float>(i)));
      const MutexLock lock(mutex);
      ++made;
      changed.notify_all();
    }
    request->finish();
    request.reset();
  });
  for (int i = 1; i <= 5; ++i) {
    InferRequestPtr next;
    {
      const MutexLock lock(mutex);
      while (waiting.empty()) changed.wait(mutex);
      EXPECT_LE(made, static_cast<size_t>(i)) << "with two under way it waits inside of the second";
      EXPECT_LE(waiting.size(), 2U);
      next = std::move(waiting.front());
      waiting.pop_front();
    }
    times(10)(std::move(next));
  }
  member.join();
  EXPECT_THAT(heard(asked), ElementsAre(10, 20, 30, 40, 50));
  EXPECT_EQ(asked.sink->finals, 1);
}

TEST_F(EnsembleStreamTest, ItWaitsForTheClientOnTheMembersThreadAlone) {
  class Counting final : public Room {
   public:
    void wait_for_room() override { ++waits; }
    int waits = 0;
  };
  make_stream(chain(), {"d"});
  members_.add("d", gives(0));
  members_.hold("d");
  members_.add("m", gives(0));
  members_.hold("m");
  Asked asked;
  const auto room = std::make_shared<Counting>();
  auto request = std::make_unique<InferRequest>(asked.sink);
  request->room = room;
  request->inputs.push_back(floats("in", {1}));
  VersionPin pin(*version_);
  std::move(pin).hand_to(*request);
  version_->submit(std::move(request));
  InferRequestPtr running = members_.take("d");
  running->respond(answer_of(*running, 1));
  EXPECT_EQ(room->waits, 1);
  gives(3)(members_.take("m"));
  EXPECT_THAT(heard(asked), ElementsAre(3));
  EXPECT_EQ(room->waits, 1) << "who runs m has other work";
  running->finish();
  EXPECT_EQ(asked.sink->finals, 1);
}

TEST_F(EnsembleStreamTest, TooMuchUnderWayIsAnError) {
  make_stream(plan_of({{"d", {{"x", "in"}}, {{"y", "part"}}}, {"d", {{"x", "part"}}, {{"y", "out"}}}}, {"in"}, {"out"}),
              {"d"});
  std::vector<InferRequestPtr> running;
  members_.add("d", [&](InferRequestPtr request) { running.push_back(std::move(request)); });
  const Asked asked = ask("in");
  // It is asked itself about what it gives, so it can't be held up.
  const Bytes large = Bytes::from_string(std::string(size_t{64} << 20, '\0'));
  for (int i = 0; i < 6 && asked.sink->finals == 0; ++i) {
    InferResponse response;
    response.outputs.push_back({"y", DataType::kFp32, {16 << 20}, {large}});
    running.front()->respond(std::move(response));
  }
  ASSERT_EQ(asked.sink->finals, 1);
  EXPECT_EQ(asked.sink->responses.back().status.code(), Code::kResourceExhausted);
  EXPECT_THAT(asked.sink->responses.back().status.message(), HasSubstr("more than 256 MiB of them wait"));
  for (const InferRequestPtr& request : running) request->finish();
}

TEST_F(EnsembleStreamTest, ManyEmptyAnswersAreBoundedAsWell) {
  make_stream(plan_of({{"d", {{"x", "in"}}, {{"y", "part"}}}, {"d", {{"x", "part"}}, {{"y", "out"}}}}, {"in"}, {"out"}),
              {"d"});
  std::vector<InferRequestPtr> running;
  members_.add("d", [&](InferRequestPtr request) { running.push_back(std::move(request)); });
  const Asked asked = ask("in");
  for (int i = 0; i < 100'000 && asked.sink->finals == 0; ++i) {
    InferResponse response;
    response.outputs.push_back({"y", DataType::kFp32, {0}, {}});
    running.front()->respond(std::move(response));
  }
  ASSERT_EQ(asked.sink->finals, 1);
  EXPECT_EQ(asked.sink->responses.back().status.code(), Code::kResourceExhausted);
  for (const InferRequestPtr& request : running) request->finish();
}

}  // namespace
}  // namespace modelmill
