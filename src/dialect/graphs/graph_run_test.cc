#include "dialect/graphs/graph_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "dialect/graphs/header_patterns.h"
#include "model/graph/graph_document.h"

namespace modelmill::graphs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A step that waits for the test to answer it.
struct Asked final : Running {
  void cancel() override {
    cancelled = true;
    done = nullptr;
  }
  std::string service, body;
  Done done;
  bool cancelled = false;
};

class FakeSurroundings final : public Surroundings {
 public:
  RunningPtr ask(const GraphStep& step, Bytes body, Done done) override {
    auto one = std::make_shared<Asked>();
    one->service = step.services.front();
    one->body = body.view();
    one->done = std::move(done);
    asked.push_back(one);
    return one;
  }
  void work(size_t, std::function<void()> work, std::function<void()> then) override {
    work();
    then();
  }
  int draw() override { return drawn; }
  void count(size_t node) override { ++counts[node]; }

  std::vector<std::shared_ptr<Asked>> asked;
  std::map<size_t, int> counts;
  int drawn = 0;
};

/// A request to a graph of these nodes.
class GraphRun : public ::testing::Test {
 protected:
  void run(const std::string& nodes, const std::string& body = R"({"instances":[1]})") {
    GraphDocuments read = read_graph_documents(
        "apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: g}\nspec:\n  nodes:\n" + nodes,
        "g.yaml");
    ASSERT_THAT(read.problems, IsEmpty()) << read.problems.front().message;
    graph_ = std::make_shared<const InferenceGraph>(std::move(read.graphs.at(0)));
    around_ = std::make_shared<FakeSurroundings>();
    around_->drawn = drawn_;
    outcomes_.clear();
    running_ = run_node(graph_, graph_->root, Bytes::copy_of(body), around_,
                        [this](Outcome outcome) { outcomes_.push_back(std::move(outcome)); });
  }

  /// "service body" of the steps that were asked.
  std::vector<std::string> asked() const {
    std::vector<std::string> out;
    for (const auto& one : around_->asked) out.push_back(one->service + " " + one->body);
    return out;
  }
  void answer(size_t index, const std::string& body, int status = 200) {
    fail_or_answer(index, Outcome::json(status, Bytes::copy_of(body)));
  }
  void fail(size_t index) { fail_or_answer(index, Outcome::failure(500, "no service")); }

  /// "status body" of the answer, or "status cause" of the failure; empty: there is none yet.
  std::string outcome() const {
    EXPECT_LE(outcomes_.size(), 1U);
    if (outcomes_.empty()) return "";
    const Outcome& one = outcomes_.front();
    return std::to_string(one.status) + " " + (one.failed() ? one.cause : std::string(one.body.view()));
  }

  int drawn_ = 0;
  std::shared_ptr<const InferenceGraph> graph_;
  std::shared_ptr<FakeSurroundings> around_;
  std::vector<Outcome> outcomes_;
  RunningPtr running_;

 private:
  void fail_or_answer(size_t index, Outcome outcome) {
    ASSERT_LT(index, around_->asked.size());
    if (const Done done = std::exchange(around_->asked[index]->done, nullptr)) done(std::move(outcome));
  }
};

TEST_F(GraphRun, ASequenceAsksOneAfterTheOther) {
  run("    root:\n      routerType: Sequence\n      steps:\n"
      "      - serviceName: a\n      - {serviceName: b, data: $response}\n      - {serviceName: c, data: $request}\n");
  EXPECT_THAT(asked(), ElementsAre(R"(a {"instances":[1]})"));
  answer(0, R"({"predictions":[2]})");
  answer(1, R"({"predictions":[3]})");
  EXPECT_THAT(asked(), ElementsAre(R"(a {"instances":[1]})", R"(b {"predictions":[2]})", R"(c {"instances":[1]})"));
  EXPECT_EQ(outcome(), "");
  answer(2, R"({"predictions":[4]})");
  EXPECT_EQ(outcome(), R"(200 {"predictions":[4]})");
  EXPECT_THAT(around_->counts, ElementsAre(std::pair<const size_t, int>(0, 1)));
}

TEST_F(GraphRun, ASequenceGoesOnAfterASoftFailureAlone) {
  const std::string steps = "    root:\n      routerType: Sequence\n      steps:\n";
  run(steps + "      - {serviceName: a, dependency: Soft}\n      - {serviceName: b, data: $response}\n");
  answer(0, R"({"error":"x"})", 404);
  EXPECT_THAT(asked(), ElementsAre(R"(a {"instances":[1]})", R"(b {"error":"x"})"));
  answer(1, "{}", 503);
  EXPECT_EQ(outcome(), "503 {}");
  run(steps + "      - {serviceName: a, dependency: Hard}\n      - {serviceName: b}\n");
  answer(0, R"({"error":"x"})", 404);
  EXPECT_EQ(outcome(), R"(404 {"error":"x"})");
  EXPECT_EQ(asked().size(), 1U);
  run(steps + "      - {serviceName: a, dependency: Soft}\n      - {serviceName: b}\n");
  fail(0);
  EXPECT_EQ(outcome(), "500 no service");
}

TEST_F(GraphRun, ASequenceMapsPredictionsToInstances) {
  const std::string nodes =
      "    root:\n      routerType: Sequence\n      steps:\n      - serviceName: a\n"
      "      - {serviceName: b, data: $response, mapPredictionsToInstances: true}\n";
  struct Case {
    const char *answered, *asked;
  };
  const Case table[] = {
      {R"( {"model":"m", "predictions": [ {"a":[1]}, 2 ]})", R"({"instances":[ {"a":[1]}, 2 ]})"},
      {R"({"predictions":[1],"instances":[7]})", R"({"instances":[1]})"},
      {R"({"predictions":[1],"instances":7})", R"({"predictions":[1],"instances":7})"},
      {R"({"predictions":[]})", R"({"predictions":[]})"},
      {R"({"predictions": [ ]})", R"({"predictions": [ ]})"},
      {R"({"predictions":1})", R"({"predictions":1})"},
      {R"({"outputs":[1]})", R"({"outputs":[1]})"},
      {"text", "text"},
  };
  for (const Case& c : table) {
    run(nodes);
    answer(0, c.answered);
    EXPECT_EQ(asked().at(1), "b " + std::string(c.asked));
  }
}

TEST_F(GraphRun, ASequenceStopsWhereAConditionIsNotMet) {
  const std::string nodes =
      "    root:\n      routerType: Sequence\n      steps:\n      - serviceName: a\n"
      "      - {serviceName: b, condition: 'predictions.#(label==\"dog\")'}\n";
  run(nodes);
  answer(0, R"({"predictions":[{"label":"cat"}]})", 202);
  EXPECT_EQ(outcome(), R"(200 {"predictions":[{"label":"cat"}]})");
  run(nodes);
  answer(0, R"({"predictions":[{"label":"dog"}]})");
  EXPECT_THAT(asked(), ElementsAre(R"(a {"instances":[1]})", R"(b {"instances":[1]})"));
  run(nodes);
  answer(0, "no JSON");
  EXPECT_THAT(outcome(), HasSubstr("500 invalid response: step '1' of node 'root'"));
  run("    root: {routerType: Sequence, steps: [{serviceName: a, condition: b}]}\n");
  EXPECT_THAT(outcome(), HasSubstr("500 invalid response"));
}

TEST_F(GraphRun, ASwitchTakesTheFirstThatMatches) {
  const std::string nodes =
      "    root:\n      routerType: Switch\n      steps:\n      - serviceName: never\n"
      "      - {serviceName: a, condition: '[@this].#(source==client)'}\n"
      "      - {serviceName: b, condition: instances.#(intval>10)}\n"
      "      - {serviceName: c, condition: instances, dependency: Hard}\n";
  run(nodes, R"({"source":"client","instances":[{"intval":11}]})");
  EXPECT_THAT(asked(), ElementsAre(R"(a {"source":"client","instances":[{"intval":11}]})"));
  answer(0, R"({"error":"x"})", 400);
  EXPECT_EQ(outcome(), R"(400 {"error":"x"})");
  run(nodes, R"({"instances":[{"intval":11}]})");
  EXPECT_THAT(asked(), ElementsAre(::testing::StartsWith("b ")));
  run(nodes, R"({"instances":[]})");
  EXPECT_THAT(asked(), ElementsAre(::testing::StartsWith("c ")));
  for (const char* body : {"{}", "no JSON", ""}) {
    run(nodes, body);
    EXPECT_EQ(outcome(), "404 None of the routes matched with the switch condition") << body;
  }
}

TEST_F(GraphRun, ASwitchBelowTheRootThatMatchesNothingIsAFailure) {
  const std::string inner = "    inner: {routerType: Switch, steps: [{serviceName: a, condition: none}]}\n";
  for (const char* router : {"Sequence", "Ensemble", "Switch"}) {
    run("    root: {routerType: " + std::string(router) + ", steps: [{nodeName: inner, condition: " +
        (std::string(router) == "Switch" ? "instances" : "x") + "}]}\n" + inner);
    if (std::string(router) == "Sequence")
      EXPECT_THAT(outcome(), HasSubstr("500 invalid response"));
    else
      EXPECT_EQ(outcome(), "500 None of the routes matched with the switch condition") << router;
  }
}

TEST_F(GraphRun, ASplitterDividesByWeights) {
  std::map<std::string, int> chosen;
  for (drawn_ = 0; drawn_ < 100; ++drawn_) {
    run("    root:\n      routerType: Splitter\n      steps:\n      - {serviceName: a, weight: 20}\n"
        "      - {serviceName: none, weight: 0}\n      - {serviceName: b, weight: 75}\n"
        "      - {serviceName: c, weight: 5}\n");
    ASSERT_EQ(around_->asked.size(), 1U);
    ++chosen[around_->asked[0]->service];
    answer(0, "{}", 201);
    EXPECT_EQ(outcome(), "201 {}");
  }
  EXPECT_THAT(chosen,
              ElementsAre(std::pair<const std::string, int>("a", 20), std::pair<const std::string, int>("b", 75),
                          std::pair<const std::string, int>("c", 5)));
}

TEST_F(GraphRun, AnEnsembleAsksAllAtOnceAndAnswersByName) {
  run("    root:\n      routerType: Ensemble\n      steps:\n"
      "      - {serviceName: b, name: zwei}\n      - serviceName: a\n      - {serviceName: c, name: drei}\n");
  EXPECT_EQ(asked().size(), 3U);
  answer(2, R"({"c":3})");
  answer(0, R"( {"b":2} )");
  EXPECT_EQ(outcome(), "");
  answer(1, R"({"error":"soft"})", 404);
  EXPECT_EQ(outcome(), R"(200 {"1":{"error":"soft"},"drei":{"c":3},"zwei": {"b":2} })");
  EXPECT_EQ(outcomes_.at(0).content_type, "application/json");
}

TEST_F(GraphRun, AnEnsembleEndsWithItsFirstHardStepThatFails) {
  const std::string nodes =
      "    root:\n      routerType: Ensemble\n      steps:\n      - {serviceName: a}\n"
      "      - {serviceName: b, dependency: Hard}\n      - {serviceName: c, dependency: Hard}\n";
  run(nodes);
  answer(2, R"({"error":"c"})", 500);
  EXPECT_EQ(outcome(), "");  // b may still be the first
  answer(0, "{}");
  answer(1, R"({"error":"b"})", 404);
  EXPECT_EQ(outcome(), R"(404 {"error":"b"})");
  run(nodes);
  answer(0, "{}");
  answer(1, R"({"error":"b"})", 404);
  EXPECT_EQ(outcome(), R"(404 {"error":"b"})");
  EXPECT_TRUE(around_->asked[2]->cancelled);
}

TEST_F(GraphRun, AnEnsembleFailsOfWhatIsNoObject) {
  const std::string nodes =
      "    root: {routerType: Ensemble, steps: [{serviceName: a, name: one}, {serviceName: b}]}\n";
  for (const char* body : {"[1]", "text", "", "{"}) {
    run(nodes);
    answer(0, body, 201);
    EXPECT_THAT(outcome(), HasSubstr("500 step 'one' of node 'root' has answered with status 201")) << body;
    EXPECT_TRUE(around_->asked[1]->cancelled);
  }
  run(nodes);
  fail(1);
  EXPECT_EQ(outcome(), "500 no service");
}

TEST_F(GraphRun, NodesLeadToNodes) {
  run("    root:\n      routerType: Sequence\n      steps:\n      - serviceName: first\n"
      "      - {nodeName: both, data: $response, dependency: Hard}\n      - {serviceName: last, data: $response}\n"
      "    both:\n      routerType: Ensemble\n      steps:\n      - serviceName: x\n      - {nodeName: split, name: "
      "s}\n"
      "    split:\n      routerType: Splitter\n      steps: [{serviceName: y, weight: 100}]\n");
  answer(0, R"({"f":1})");
  EXPECT_THAT(asked(), ElementsAre(R"(first {"instances":[1]})", R"(x {"f":1})", R"(y {"f":1})"));
  answer(2, R"({"y":1})");
  answer(1, R"({"x":1})");
  EXPECT_EQ(asked().back(), R"(last {"0":{"x":1},"s":{"y":1}})");
  answer(3, R"({"l":1})");
  EXPECT_EQ(outcome(), R"(200 {"l":1})");
  EXPECT_EQ(around_->counts.size(), 3U);
}

TEST_F(GraphRun, CancellingReachesAllThatIsUnderWay) {
  run("    root: {routerType: Ensemble, steps: [{serviceName: a}, {nodeName: more}]}\n"
      "    more: {routerType: Sequence, steps: [{serviceName: b}, {serviceName: c}]}\n");
  running_->cancel();
  ASSERT_EQ(around_->asked.size(), 2U);
  EXPECT_TRUE(around_->asked[0]->cancelled && around_->asked[1]->cancelled);
  EXPECT_THAT(outcomes_, IsEmpty());
  const std::weak_ptr<Running> gone = running_;
  running_.reset();
  EXPECT_TRUE(gone.expired());
}

TEST_F(GraphRun, NothingIsLeftOfARunThatIsOver) {
  run("    root: {routerType: Sequence, steps: [{serviceName: a}, {nodeName: more}]}\n"
      "    more: {routerType: Ensemble, steps: [{serviceName: b}, {serviceName: c}]}\n");
  answer(0, "{}");
  answer(1, "{}");
  answer(2, "{}");
  EXPECT_EQ(outcome(), R"(200 {"0":{},"1":{}})");
  const std::weak_ptr<Running> gone = running_;
  running_.reset();
  EXPECT_TRUE(gone.expired());
}

TEST(HeaderPatterns, MatchAsKservesRouterDoes) {
  const HeaderPatterns patterns("Authorization,^X-Test-.*,[,Trace");
  EXPECT_TRUE(patterns.match("authorization"));
  EXPECT_TRUE(patterns.match("proxy-authorization"));
  EXPECT_TRUE(patterns.match("x-test-one"));
  EXPECT_TRUE(patterns.match("x-cloud-trace-context"));
  EXPECT_FALSE(patterns.match("my-x-test-one"));
  EXPECT_FALSE(patterns.match("content-type"));
  EXPECT_FALSE(HeaderPatterns("").match("authorization"));
  EXPECT_FALSE(HeaderPatterns(".*").match("content-length"));
  EXPECT_FALSE(HeaderPatterns(".*").match("inference-header-content-length"));
  EXPECT_FALSE(HeaderPatterns(".*").match(std::string(1000, 'a')));
}

}  // namespace
}  // namespace modelmill::graphs
