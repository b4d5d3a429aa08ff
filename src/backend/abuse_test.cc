// What the host does with backends that keep the ABI's rules and with those that break them: each request completes
// exactly once and the instance is free once, whatever comes.

#include <gmock/gmock.h>

#include <atomic>

#include "backend/testing/harness.h"

namespace modelmill {
namespace {

using testing::as_floats;
using testing::Asked;
using ::testing::ElementsAre;
using testing::floats;
using ::testing::HasSubstr;
using testing::instance_of;
using testing::strings;

class Abuse : public ::testing::Test {
 protected:
  Result<std::unique_ptr<BackendModel>> try_load(const std::string& mode) {
    BackendLoad load;
    load.model = "m";
    load.version = 3;
    load.file = mode;
    return registry_.load("abuse", load);
  }

  /// One request alone under `mode`, with the model and instance kept until the test ends.
  Asked& ask(const std::string& mode, std::vector<Tensor> inputs = {floats("x", {1, 2, 3})}) {
    asked_ = std::make_unique<Asked>(std::move(inputs));
    return ask_prepared(mode);
  }
  Asked& ask_prepared(const std::string& mode) {
    prepare(mode);
    testing::run(*instance_, {asked_.get()});
    EXPECT_EQ(asked_->sink->finals(), 1);
    return *asked_;
  }
  void prepare(const std::string& mode) {
    instance_.reset();
    auto model = try_load(mode);
    ASSERT_TRUE(model.ok()) << model.status().to_string();
    model_ = std::move(model).value();
    instance_ = instance_of(*model_);
  }
  /// How many pieces of lent memory the plugin has back; it tells by a model's memory_bytes.
  int released() { return static_cast<int>((*try_load("ok"))->info().memory_bytes); }

  MetricRegistry metrics_;
  std::function<void(InferRequestPtr)> other_;
  std::string refusal_;
  std::vector<ModelChange> changes_;
  BackendRegistry registry_{{.directories = {MM_TEST_BACKENDS},
                             .settings = {},
                             .metrics = &metrics_,
                             .server = {.call_model =
                                            [this](InferRequestPtr request, const char* refusal) {
                                              refusal_ = refusal != nullptr ? refusal : "";
                                              other_(std::move(request));
                                            },
                                        .change_model =
                                            [this](ModelChange change, const std::function<void(Status)>& done) {
                                              changes_.push_back(std::move(change));
                                              done(changes_.back().model == "bad" ? unavailable("no") : ok_status());
                                            },
                                        .model_ready = [](const std::string& model,
                                                          int64_t version) { return model == "m" && version == 3; }}}};
  std::unique_ptr<BackendModel> model_;
  std::unique_ptr<BackendInstance> instance_;
  std::unique_ptr<Asked> asked_;
};

TEST_F(Abuse, AnswersAndTimes) {
  prepare("ok");
  Asked one, two({floats("x", {5})});
  const ExecutionResult result = testing::run(*instance_, {&one, &two});
  EXPECT_THAT(as_floats(one.sink->response().outputs.at(0)), ElementsAre(2, 4, 6));
  EXPECT_THAT(as_floats(two.sink->response().outputs.at(0)), ElementsAre(10));
  EXPECT_EQ(one.sink->response().version, 3);
  EXPECT_NE(one.sink->response().times.compute_start, TimePoint{});
  EXPECT_EQ(to_ns(result.input_end), 1'000);
  EXPECT_EQ(to_ns(result.infer_end), 2'000);
}

TEST_F(Abuse, ExecutionsAreRecycled) {
  prepare("ok");
  for (int round = 0; round < 20; ++round) {
    std::vector<Asked> asked(static_cast<size_t>(1 + round % 7));
    std::vector<Asked*> pointers;
    for (Asked& a : asked) pointers.push_back(&a);
    testing::run(*instance_, pointers);
    for (Asked& a : asked) EXPECT_EQ(a.sink->finals(), 1);
  }
}

TEST_F(Abuse, NoRequestsAtAll) {
  prepare("ok");
  testing::run(*instance_, {});
}

TEST_F(Abuse, InputsComeInTheModelsOrder) {
  auto& asked = ask("ok", {floats("y", {9, 9}), floats("x", {4})});
  EXPECT_THAT(as_floats(asked.sink->response().outputs.at(0)), ElementsAre(8));
}

TEST_F(Abuse, ChunksThatCutAnElementAreGathered) {
  Tensor x = floats("x", {1, 2, 3});
  const Bytes whole = x.data[0];
  x.data.clear();
  x.data.push_back(whole.slice(0, 6));
  x.data.push_back(whole.slice(6, 6));
  EXPECT_THAT(as_floats(ask("ok", {x}).sink->response().outputs.at(0)), ElementsAre(2, 4, 6));
}

TEST_F(Abuse, StringsBothWays) {
  auto& asked = ask("strings", {floats("x", {1}), strings("s", {"a", "", std::string("b\0c", 3)})});
  const Tensor& text = asked.sink->response().outputs.at(0);
  EXPECT_EQ(text.contiguous().view(), strings("s", {"a", "", std::string("b\0c", 3)}).contiguous().view());
}

TEST_F(Abuse, MalformedStringsAreTheClientsError) {
  Tensor bad = strings("s", {"abc"});
  bad.data[0] = bad.data[0].slice(0, 5);
  EXPECT_EQ(ask("strings", {floats("x", {1}), bad}).sink->status().code(), Code::kInvalidArgument);
}

TEST_F(Abuse, RefusedExecutionFailsAll) {
  const Status status = ask("refuse").sink->status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message(), "not today");
}

TEST_F(Abuse, RefusalAfterAnAnswerFailsTheRest) {
  prepare("refuse_half");
  Asked one, two;
  testing::run(*instance_, {&one, &two});
  EXPECT_TRUE(one.sink->status().ok());
  EXPECT_EQ(two.sink->status().code(), Code::kUnavailable);
  EXPECT_EQ(one.sink->finals() + two.sink->finals(), 2);
}

TEST_F(Abuse, EscapedExceptionFailsAll) {
  EXPECT_THAT(ask("throw").sink->status().to_string(),
              HasSubstr("INTERNAL: backend 'abuse' let an exception escape: thrown over"));
}

TEST_F(Abuse, DoneWithoutAnswers) {
  EXPECT_THAT(ask("no_answer").sink->status().to_string(),
              HasSubstr("INTERNAL: backend 'abuse', model 'm' version 3 ended"));
}

TEST_F(Abuse, SecondFinalIsHarmless) {
  EXPECT_TRUE(ask("double_final").sink->status().ok());
  EXPECT_EQ(asked_->sink->count(), 1u);
}

TEST_F(Abuse, SecondDoneIsHarmless) { EXPECT_TRUE(ask("double_done").sink->status().ok()); }
TEST_F(Abuse, ErrorAfterDoneIsHarmless) { EXPECT_TRUE(ask("error_after_done").sink->status().ok()); }

TEST_F(Abuse, PerRequestError) {
  EXPECT_EQ(ask("own_error").sink->status(), Status(Code::kOutOfRange, "this one is bad"));
}

TEST_F(Abuse, WrongOutputsFailTheRequestAndNameTheBackend) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"wrong_name", "no output 'nope'"},
      {"wrong_dtype", "came with type INT32, the model declares FP32"},
      {"wrong_size", "so 12 bytes were expected, but got 8"},
      {"gpu_output", "in GPU memory"},
      {"negative_shape", "impossible shape [-3]"},
      {"huge_shape", "is too large"},
      {"twice", "given twice"},
      {"bad_offsets", "offset 2 of its strings is below"},
  };
  for (const auto& [mode, text] : cases) {
    const Status status = ask(mode).sink->status();
    EXPECT_THAT(status.message(), HasSubstr("backend 'abuse', model 'm' version 3: ")) << mode;
    EXPECT_THAT(status.message(), HasSubstr(text)) << mode;
    EXPECT_TRUE(asked_->sink->response().outputs.empty()) << mode;
  }
}

TEST_F(Abuse, LentMemoryIsReleasedOnceWhenTheAnswerGoes) {
  const int before = released();
  ask("lend");
  EXPECT_EQ(released(), before);
  EXPECT_EQ(asked_->sink->response().outputs.at(0).byte_size(), 4096u);
  instance_.reset();
  model_.reset();  // the memory outlives its model
  EXPECT_EQ(as_floats(asked_->sink->response().outputs.at(0)).at(1023), 2.5f);
  asked_.reset();
  EXPECT_EQ(released(), before + 1);
}

TEST_F(Abuse, MemoryOfARejectedOrAbandonedOutputIsReleased) {
  const int before = released();
  ask("wrong_size");
  EXPECT_EQ(released(), before + 1);
  ask("abandoned_response");
  EXPECT_TRUE(asked_->sink->status().ok());
  EXPECT_EQ(released(), before + 2);
}

TEST_F(Abuse, OnlyRequestedOutputs) {
  asked_ = std::make_unique<Asked>();
  asked_->request->outputs.push_back({"text", 0});
  EXPECT_TRUE(ask_prepared("ok").sink->status().ok()) << "one that the model leaves out is missing";
  EXPECT_TRUE(asked_->sink->response().outputs.empty());
  asked_ = std::make_unique<Asked>();
  asked_->request->outputs.push_back({"out", 0});
  EXPECT_EQ(ask_prepared("ok").sink->response().outputs.size(), 1u);
}

TEST_F(Abuse, AnswersFromAnotherThread) {
  prepare("async");
  for (int round = 0; round < 50; ++round) {
    Asked one, two;
    testing::run(*instance_, {&one, &two});
    EXPECT_THAT(as_floats(one.sink->response().outputs.at(0)), ElementsAre(2, 4, 6));
    EXPECT_EQ(one.sink->finals() + two.sink->finals(), 2);
  }
}

TEST_F(Abuse, ManyAnswersOfADecoupledModel) {
  EXPECT_TRUE(ask("decoupled").sink->status().ok());
  EXPECT_TRUE(model_->info().decoupled);
  EXPECT_EQ(asked_->sink->count(), 3u);
}

TEST_F(Abuse, ManyAnswersOfAnotherModelEndIt) {
  EXPECT_THAT(ask("not_final").sink->status().message(), HasSubstr("not final although it is not decoupled"));
  EXPECT_THAT(ask("finish_only").sink->status().message(), HasSubstr("without an answer although it is not decoupled"));
}

TEST_F(Abuse, WhatThisServerDoesNotHaveIsRejected) {
  const auto& response = ask("rejected").sink->response();
  const auto* said = response.parameters.find("said");
  ASSERT_NE(said, nullptr);
  // state twice: FAILED_PRECONDITION; GPU and pinned: UNAVAILABLE; alignment 48; 4096 works; struct_size; index 99.
  EXPECT_EQ(std::get<std::string>(*said), "9;9;14;14;3;accepted;3;3;");
}

TEST_F(Abuse, MetricsLiveAsLongAsTheirModel) {
  ask("metrics");
  const std::string text = metrics_.render();
  EXPECT_THAT(text, HasSubstr("abuse_seen_total{model=\"m\",version=\"3\",kind=\"test\"} 2"));
  EXPECT_THAT(text, HasSubstr("abuse_level{model=\"m\",version=\"3\",kind=\"test\"} 7"));
  EXPECT_THAT(text, HasSubstr("abuse_size_bucket{model=\"m\",version=\"3\",kind=\"test\",le=\"10\"} 1"));
  instance_.reset();
  model_.reset();
  EXPECT_EQ(metrics_.render().find("abuse_seen_total{"), std::string::npos);
}

TEST_F(Abuse, MetricsOfTheServerAreNotABackends) {
  EXPECT_THAT(try_load("bad_metrics").status().message(), HasSubstr("names that begin with nv_"));
}

TEST_F(Abuse, CallsAnotherModel) {
  const TimePoint deadline = Clock::now() + std::chrono::hours(1);
  other_ = [&](InferRequestPtr request) {
    EXPECT_EQ(request->model, "other");
    EXPECT_EQ(request->deadline, deadline);
    EXPECT_TRUE(request->holds_resources) << "the one who calls runs";
    EXPECT_EQ(as_floats(request->inputs.at(0)), std::vector<float>({1, 2, 3}));
    InferResponse response;
    response.outputs.push_back(floats("answer", {7, 8}));
    request->complete(std::move(response));
  };
  asked_ = std::make_unique<Asked>();
  asked_->request->deadline = deadline;
  EXPECT_THAT(as_floats(ask_prepared("call_model").sink->response().outputs.at(0)), ElementsAre(7, 8));

  other_ = [](InferRequestPtr request) { request->fail(not_found("no such model")); };
  EXPECT_EQ(ask("call_model").sink->status(), not_found("no such model"));
}

TEST_F(Abuse, ACallCarriesMoreThanInputs) {
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  other_ = [&](InferRequestPtr request) {
    EXPECT_EQ(request->id, "its own");
    EXPECT_TRUE(request->holds_resources);
    EXPECT_EQ(request->outputs.at(0).name, "answer");
    EXPECT_EQ(std::get<int64_t>(*request->parameters.find("top")), 5);
    EXPECT_EQ(std::get<std::string>(*request->parameters.find("who")), "me");
    EXPECT_EQ(request->priority, 2u);
    EXPECT_EQ(request->timeout, std::chrono::milliseconds(7));
    EXPECT_EQ(std::get<std::string>(request->sequence.id), "s");
    EXPECT_TRUE(request->sequence.start);
    EXPECT_FALSE(request->sequence.end);
    EXPECT_EQ(traceparent_text(request->trace), trace);
    EXPECT_FALSE(request->cancelled());
    InferResponse response;
    response.outputs.push_back(floats("answer", {7}));
    response.parameters.set("cost", 0.5);
    response.version = 4;
    request->complete(std::move(response));
  };
  const auto& response = ask("call_detailed").sink->response();
  EXPECT_THAT(as_floats(response.outputs.at(0)), ElementsAre(7));
  EXPECT_EQ(std::get<double>(*response.parameters.find("cost")), 0.5);
  EXPECT_EQ(std::get<int64_t>(*response.parameters.find("version")), 4);
  EXPECT_THAT(refusal_, HasSubstr("takes one answer"));
}

TEST_F(Abuse, ACallHasItsParentsIdTraceAndCancellation) {
  asked_ = std::make_unique<Asked>();
  asked_->request->id = "outer";
  asked_->request->trace = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
  asked_->request->cancel = std::make_shared<CancelToken>();
  other_ = [cancel = asked_->request->cancel](InferRequestPtr request) {
    EXPECT_EQ(request->id, "outer");
    EXPECT_TRUE(request->trace.present());
    EXPECT_FALSE(request->cancelled());
    cancel->cancel(CancelToken::Reason::kClientGone);
    EXPECT_TRUE(request->cancelled());
    request->fail(cancelled("nobody waits"));
  };
  EXPECT_EQ(ask_prepared("call_model").sink->status().code(), Code::kCancelled);
}

TEST_F(Abuse, LoadsOtherModels) {
  const auto& response = ask("change_model").sink->response();
  // A load and an unload; a load that fails; an action that is none; an unload of more; what is ready.
  EXPECT_EQ(std::get<std::string>(*response.parameters.find("said")), "0;0;14;3;0;ready;unready;");
  ASSERT_EQ(changes_.size(), 4u);
  EXPECT_EQ(changes_[0].action, ModelChange::Action::kLoad);
  EXPECT_EQ(changes_[0].caller, "m");
  EXPECT_EQ(changes_[0].model, "good");
  EXPECT_EQ(changes_[0].config_json, "{}");
  EXPECT_THAT(changes_[0].files, ElementsAre(::testing::Pair("1/model.x", "abc")));
  EXPECT_EQ(changes_[1].action, ModelChange::Action::kUnload);
  EXPECT_EQ(changes_[3].action, ModelChange::Action::kUnloadWithMembers);
}

TEST_F(Abuse, LoadErrorsSayWhat) {
  EXPECT_EQ(try_load("load_error").status(), invalid_argument("a corrupt file"));
  EXPECT_THAT(try_load("info_error").status().to_string(), HasSubstr("no idea"));
}

}  // namespace
}  // namespace modelmill
