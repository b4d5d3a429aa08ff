#include "dialect/admin/control.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "dialect/admin/grpc_control.h"
#include "dialect/admin/testing/fake_controls.h"
#include "dialect/description/operations.h"
#include "dialect/testing/fakes.h"
#include "modelmill_admin.pb.h"
#include "serve/testing/fake_version.h"

namespace modelmill::admin {
namespace {

using modelmill::testing::header_of;
using modelmill::testing::http_request;
using modelmill::testing::joined;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AdminTest : public ::testing::TestWithParam<bool> {
 protected:
  AdminTest() {
    catalog_.add(modelmill::testing::simple_description("m"));
    add_control(router_, controls_);
    bound_ = add_control(methods_, controls_);
  }
  ~AdminTest() override { offload_.stop(); }

  wire::HttpReply ask(std::string method, std::string path, std::string body = "") {
    wire::HttpRequest request = http_request(std::move(method), "/admin" + path, std::move(body));
    request.peer = "127.0.0.1:1";
    return modelmill::testing::ask(thread_, router_.handler(), std::move(request));
  }
  /// What the call answers, or its error.
  template <typename Response>
  Result<Response> call(const std::string& method, const google::protobuf::Message& request) {
    const auto call =
        modelmill::testing::call_unary(thread_, methods_, "/modelmill.admin.v1." + method, request.SerializeAsString());
    if (!call->status->ok()) return *call->status;
    Response response;
    EXPECT_TRUE(response.ParseFromString(call->sent.at(0)));
    return response;
  }
  wire::ApiGroup group_of(std::string method, std::string path) {
    return *router_.group(http_request(std::move(method), "/admin" + path));
  }
  std::vector<std::string> asked() { return std::exchange(script_.asked, {}); }

  modelmill::testing::LoopThread thread_;
  modelmill::testing::FakeCatalog catalog_;
  testing::Script script_;
  testing::FakeModels models_{script_};
  testing::FakeRoutes routes_{script_};
  testing::FakeRollouts rollouts_{script_};
  testing::FakeExperiments experiments_{script_};
  testing::FakeWeights weights_{script_};
  Offload offload_{1, 16};
  const Controls controls_{catalog_.catalog(),
                           models_,
                           routes_,
                           rollouts_,
                           experiments_,
                           weights_,
                           GetParam() ? &offload_ : nullptr,
                           nullptr};
  HttpRouter router_;
  wire::GrpcMethods methods_;
  std::vector<ActionMethod> bound_;
};

TEST_P(AdminTest, EveryActionIsInOpenApiAndNothingElse) {
  std::multiset<std::string> done, described;
  for (const Action& action : actions()) {
    std::string method(action.method);
    std::transform(method.begin(), method.end(), method.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    done.insert(method + " " + std::string(action.path));
  }
  for (const description::Operation& operation : description::operations())
    if (operation.path.starts_with("/admin/"))
      described.insert(std::string(operation.method) + " " + std::string(operation.path));
  EXPECT_EQ(done, described);
}

TEST_P(AdminTest, EveryActionHasOneGrpcMethodOfItsGroup) {
  std::map<const Action*, int> methods;
  std::set<std::string> names;
  for (const ActionMethod& one : bound_) {
    ++methods[one.action];
    names.insert(one.method);
    const wire::GrpcMethod* method = methods_.find(one.method);
    ASSERT_NE(method, nullptr) << one.method;
    EXPECT_EQ(method->group, one.action->group) << one.method;
  }
  for (const Action& action : actions()) EXPECT_EQ(methods[&action], 1) << action.method << action.path;
  std::set<std::string> described;
  for (const auto* service : methods_.services())
    for (int i = 0; i < service->method_count(); ++i)
      described.insert("/" + service->full_name() + "/" + service->method(i)->name());
  EXPECT_EQ(names, described);
}

TEST_P(AdminTest, PathsMethodsAndGroupsOfHttp) {
  EXPECT_EQ(header_of(ask("POST", "/routes/r"), "Allow"), "GET, PUT, DELETE");
  EXPECT_EQ(ask("PUT", "/rollouts/r/history").status, 405);
  EXPECT_EQ(ask("GET", "/rollouts/a%2Fb").status, 200);
  const auto unknown = ask("GET", "/rollouts/r/else");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(joined(unknown.body), HasSubstr("no such path: '/admin/rollouts/r/else'; there are /admin/rollouts, "
                                              "/admin/rollouts/{rollout}, /admin/rollouts/{rollout}/history"));
  EXPECT_THAT(joined(ask("GET", "").body), HasSubstr("paths here begin with /admin/models, /admin/routes, "
                                                     "/admin/rollouts, /admin/experiments"));
  EXPECT_EQ(ask("GET", "/routes/%zz").status, 400);
  EXPECT_THAT(asked(), ElementsAre("show a/b"));
  EXPECT_EQ(group_of("GET", "/routes/r"), wire::ApiGroup::kMetadata);
  EXPECT_EQ(group_of("GET", "/routes/r/shadow"), wire::ApiGroup::kManagement);
  EXPECT_EQ(group_of("POST", "/rollouts/r"), wire::ApiGroup::kManagement);
  EXPECT_EQ(group_of("POST", "/nothing"), wire::ApiGroup::kManagement);
  EXPECT_EQ(group_of("GET", "/nothing"), wire::ApiGroup::kMetadata);
}

TEST_P(AdminTest, ModelsByBothDoors) {
  EXPECT_EQ(ask("PUT", "/models/m/labels/l", R"({"version": 3, "ahead": true})").status, 200);
  v1::SetLabelRequest label;
  label.set_model("m");
  label.set_label("l");
  label.set_version(int64_t{1} << 60);
  const auto model = call<v1::Model>("Models/SetLabel", label);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->model(), "m");
  EXPECT_EQ(model->versions_size(), 1);
  v1::DeleteDefaultVersionRequest none;
  none.set_model("m");
  EXPECT_TRUE(call<v1::Model>("Models/DeleteDefaultVersion", none).ok());
  EXPECT_THAT(asked(), ElementsAre("assign m/l 3 ahead", "assign m/l 1152921504606846976", "assign m/ 0"));
  label.set_version(0);
  EXPECT_EQ(call<v1::Model>("Models/SetLabel", label).status().code(), Code::kInvalidArgument);
  v1::GetModelRequest other;
  other.set_model("other");
  EXPECT_EQ(call<v1::Model>("Models/GetModel", other).status(), not_found("there is no model named 'other'"));
}

TEST_P(AdminTest, RoutesByBothDoors) {
  const std::string route =
      R"({"name":"r","split":{"m@1":95.5,"m@2":4.5},"rules":[{"when":"header:x-tier","is":"","to":"m@2"}],)"
      R"("sticky":"cookie:u","salt":"s","fallback":{"to":["o"],"on":["timeout"],"timeout":"200000us"},)"
      R"("breaker":{"failures":3,"open":"5000000us","probes":2},)"
      R"("shadow":[{"target":"m@3","share":"10%","examples":0,"compare":{"y":{"kind":"top_k","k":5}}}]})";
  ASSERT_EQ(ask("PUT", "/routes/r", route).status, 200);
  v1::SetRouteRequest request;
  v1::Route& typed = *request.mutable_route();
  typed.set_name("r");
  (*typed.mutable_split())["m@1"] = 95.5;
  (*typed.mutable_split())["m@2"] = 4.5;
  v1::RouteRule& rule = *typed.add_rules();
  rule.set_when("header:x-tier");
  rule.set_equals("");
  rule.set_to("m@2");
  typed.set_sticky("cookie:u");
  typed.set_salt("s");
  typed.mutable_fallback()->add_to("o");
  typed.mutable_fallback()->add_on("timeout");
  typed.mutable_fallback()->set_timeout("200ms");
  typed.mutable_breaker()->set_failures(3);
  v1::RouteShadow& shadow = *typed.add_shadow();
  shadow.set_target("m@3");
  shadow.set_share("10%");
  shadow.set_examples(0);
  auto& compare = (*shadow.mutable_compare())["y"];
  compare.set_kind("top_k");
  compare.set_k(5);
  const auto state = call<v1::RouteState>("Routes/SetRoute", request);
  ASSERT_TRUE(state.ok()) << state.status().message();
  EXPECT_EQ(state->route().split().at("m@1"), 100);
  EXPECT_EQ(state->changed().by(), "me");
  const auto both = asked();
  ASSERT_EQ(both.size(), 2);
  EXPECT_EQ(parse_route(both[1].substr(4, both[1].rfind(" by ") - 4)).value().rules[0].is, "");
  EXPECT_EQ(both[0].size(), both[1].size());  // a map of a message has no order
  EXPECT_EQ(both[0], "set " + route + " by 127.0.0.1");
  v1::UndoRouteRequest undo;
  undo.set_name("r");
  EXPECT_TRUE(call<v1::RouteState>("Routes/UndoRoute", undo).ok());
  v1::GetRouteHistoryRequest history;
  history.set_name("r");
  EXPECT_EQ(call<v1::RouteHistory>("Routes/GetRouteHistory", history)->history(0).route().split().at("m@1"), 100);
  EXPECT_THAT(asked(), ElementsAre("undo r by 127.0.0.1", "history r"));
  typed.clear_split();
  EXPECT_THAT(call<v1::RouteState>("Routes/SetRoute", request).status().message(), HasSubstr("split"));
  typed.clear_name();
  EXPECT_EQ(call<v1::RouteState>("Routes/SetRoute", request).status(),
            invalid_argument("the request does not name the route; set its name"));
}

TEST_P(AdminTest, RolloutsByBothDoors) {
  script_.document =
      R"({"name":"m","number":3,"state":"running","held":true,"why":"w","to":"m@2","from":"m@1","step":1,"percent":5.5,)"
      R"("later":{"field":[1]},"compare":{"y":{"kind":"tolerance","absolute":0.5,"relative":0}},)"
      R"("canary":{"arm":"m@2","requests":7,"p99_us":1e4},"copies":null,"gates":[{"gate":"g","state":"open","text":"t"}],)"
      R"("wish":null})";
  v1::StartRolloutRequest start;
  start.set_name("m");
  start.mutable_plan()->set_to("2");
  start.mutable_plan()->set_from_target("1");
  start.mutable_plan()->add_gates("p99<=1.1x");
  start.mutable_plan()->set_min_requests(10);
  const auto rollout = call<v1::Rollout>("Rollouts/StartRollout", start);
  ASSERT_TRUE(rollout.ok()) << rollout.status().message();
  EXPECT_EQ(rollout->from_target(), "m@1");
  EXPECT_EQ(rollout->canary().requests(), 7);
  EXPECT_EQ(rollout->compare().at("y").absolute(), 0.5);
  EXPECT_EQ(rollout->gates(0).gate(), "g");
  EXPECT_FALSE(rollout->has_copies() || rollout->has_wish());
  EXPECT_THAT(asked(), ElementsAre(R"(start m {"to":"2","from":"1","gates":["p99\u003c=1.1x"],"min_requests":10} by )"
                                   "127.0.0.1"));
  v1::PauseRolloutRequest pause;
  pause.set_name("m");
  EXPECT_TRUE(call<v1::Rollout>("Rollouts/PauseRollout", pause).ok());
  EXPECT_EQ(joined(ask("POST", "/rollouts/m/pause").body), script_.document);
  v1::PromoteRolloutRequest promote;
  promote.set_name("m");
  EXPECT_TRUE(call<v1::Rollout>("Rollouts/PromoteRollout", promote).ok());
  EXPECT_THAT(asked(), ElementsAre("pause m by 127.0.0.1", "pause m by 127.0.0.1", "promote m by 127.0.0.1"));
  script_.refusal = failed_precondition("not now");
  EXPECT_EQ(call<v1::Rollout>("Rollouts/PauseRollout", pause).status(), script_.refusal);
  EXPECT_EQ(ask("POST", "/rollouts/m/pause").status, 400);
  script_.refusal = ok_status();
  script_.document = "[1]";
  EXPECT_EQ(call<v1::Rollout>("Rollouts/PauseRollout", pause).status().code(), Code::kInternal);
}

TEST_P(AdminTest, ExperimentsByBothDoors) {
  v1::SendOutcomesRequest outcomes;
  outcomes.set_name("x");
  outcomes.add_outcomes()->set_user("ann");
  outcomes.mutable_outcomes(0)->set_value(0);
  script_.document = R"({"accepted":1,"duplicate":0,"unknown":0,"late":0})";
  EXPECT_EQ(call<v1::OutcomeCounts>("Experiments/SendOutcomes", outcomes)->accepted(), 1);
  EXPECT_THAT(asked(), ElementsAre(R"(outcomes of x {"outcomes":[{"user":"ann","value":0}]})"));
  for (int i = 0; i < 5'000; ++i) outcomes.add_outcomes()->set_user("a user whose name is long");
  EXPECT_EQ(call<v1::OutcomeCounts>("Experiments/SendOutcomes", outcomes)->accepted(), 1);
  EXPECT_EQ(asked().at(0).size(), std::string(R"(outcomes of x {"outcomes":[{"user":"ann","value":0}]})").size() +
                                      5'000 * std::string(R"(,{"user":"a user whose name is long"})").size());
  for (int i = 0; i < 600'000; ++i) outcomes.add_outcomes()->set_user("a user whose name is long");
  EXPECT_THAT(call<v1::OutcomeCounts>("Experiments/SendOutcomes", outcomes).status().message(),
              HasSubstr("16777216 are the most of administration"));
  script_.document =
      R"({"name":"x","definition":{"route":"r","goal":"g","margin":0,"users":10000,"window":"1h"},"arm":null,)"
      R"("results":{"arms":[{"arm":"m@1","rate":0.5,"difference":null},{"arm":"m@2","mean":2,)"
      R"("difference":{"value":1,"low":-1,"high":3}}],"power":null,"counts":{"keyless":2}}})";
  v1::StartExperimentRequest start;
  start.set_name("x");
  start.mutable_plan()->set_route("r");
  start.mutable_plan()->set_goal("g");
  start.mutable_plan()->set_margin(0.01);
  start.mutable_plan()->set_min_users(50);
  start.mutable_plan()->set_deploy_winner(true);
  const auto experiment = call<v1::Experiment>("Experiments/StartExperiment", start);
  ASSERT_TRUE(experiment.ok()) << experiment.status().message();
  EXPECT_EQ(experiment->definition().users(), 10'000);
  EXPECT_TRUE(experiment->results().arms(0).has_rate());
  EXPECT_FALSE(experiment->results().arms(0).has_difference() || experiment->results().has_power());
  EXPECT_EQ(experiment->results().arms(1).difference().high(), 3);
  v1::DeployExperimentRequest deploy;
  deploy.set_name("x");
  EXPECT_TRUE(call<v1::Experiment>("Experiments/DeployExperiment", deploy).ok());
  deploy.set_arm("m@1");
  EXPECT_TRUE(call<v1::Experiment>("Experiments/DeployExperiment", deploy).ok());
  EXPECT_THAT(asked(),
              ElementsAre(R"(start x {"route":"r","goal":"g","margin":0.01,"min_users":50,"deploy_winner":true} by )"
                          "127.0.0.1",
                          "deploy x {} by 127.0.0.1", R"(deploy x {"arm":"m@1"} by 127.0.0.1)"));
}

TEST_P(AdminTest, EnsemblesByBothDoors) {
  v1::SendFeedbackRequest feedback;
  feedback.set_name("e");
  feedback.add_feedback()->set_id("r-1");
  feedback.mutable_feedback(0)->mutable_label()->set_number_value(3);
  v1::Feedback& rows = *feedback.add_feedback();
  rows.set_id("r-2");
  rows.mutable_label()->mutable_list_value()->add_values()->set_string_value("cat");
  rows.mutable_label()->mutable_list_value()->add_values()->set_bool_value(true);
  script_.document = R"({"counted":1,"duplicate":0,"unknown":1,"frozen":0,"unknown_ids":["r-2"]})";
  const auto counts = call<v1::FeedbackCounts>("Ensembles/SendFeedback", feedback);
  ASSERT_TRUE(counts.ok()) << counts.status().message();
  EXPECT_EQ(counts->unknown_ids(0), "r-2");
  EXPECT_THAT(asked(), ElementsAre(R"(feedback for e {"feedback":[{"id":"r-1","label":3},)"
                                   R"({"id":"r-2","label":["cat",true]}]})"));
  script_.document =
      R"({"name":"e","combine":"majority","learns":true,"rate":0.1,"members":[{"member":"a","weight":0.75,)"
      R"("configured":0.5,"mean_loss":null}],"mean_loss":0.25,"feedback":{"counted":7},"counted_ever":9})";
  v1::GetEnsembleRequest get;
  get.set_name("e");
  const auto ensemble = call<v1::Ensemble>("Ensembles/GetEnsemble", get);
  ASSERT_TRUE(ensemble.ok()) << ensemble.status().message();
  EXPECT_EQ(ensemble->members(0).weight(), 0.75);
  EXPECT_FALSE(ensemble->members(0).has_mean_loss() || ensemble->has_floor());
  EXPECT_EQ(ensemble->mean_loss(), 0.25);
  EXPECT_EQ(ensemble->counted_ever(), 9);
  EXPECT_EQ(ensemble->feedback().counted(), 7);
  v1::SetWeightsRequest set;
  set.set_name("e");
  (*set.mutable_weights())["a"] = 0;
  EXPECT_TRUE(call<v1::Ensemble>("Ensembles/SetWeights", set).ok());
  v1::UnfreezeWeightsRequest unfreeze;
  unfreeze.set_name("e");
  EXPECT_TRUE(call<v1::Ensemble>("Ensembles/UnfreezeWeights", unfreeze).ok());
  EXPECT_EQ(ask("POST", "/ensembles/e/freeze").status, 200);
  EXPECT_EQ(ask("POST", "/ensembles/e/reset").status, 200);
  EXPECT_THAT(asked(), ElementsAre("show e", R"(set e {"weights":{"a":0}} by 127.0.0.1)", "unfreeze e by 127.0.0.1",
                                   "freeze e by 127.0.0.1", "reset e by 127.0.0.1"));
}

INSTANTIATE_TEST_SUITE_P(OnLoopAndOffload, AdminTest, ::testing::Bool());

}  // namespace
}  // namespace modelmill::admin
