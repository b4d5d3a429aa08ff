#include "model/graph/graph_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/graph/graph_limits.h"
#include "model/graph/service_url.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// A graph with these nodes, which begin at line 6.
std::string with_nodes(const std::string& nodes) {
  return "apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: g}\nspec:\n  nodes:\n" + nodes;
}

/// "place: message" of the only problem.
std::string problem_of(const std::string& text) {
  const GraphDocuments read = read_graph_documents(text, "g.yaml");
  EXPECT_EQ(read.problems.size(), 1U) << text;
  return read.problems.empty() ? "" : status_of(read.problems.front()).message();
}

TEST(GraphDocument, ReadsTheGraphsAmongOtherObjects) {
  const std::string text =
      "---\napiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: sklearn-iris}\n---\n" +
      with_nodes(
          "    root:\n"
          "      routerType: Sequence\n"
          "      steps:\n"
          "      - {serviceName: first, name: one, dependency: Hard}\n"
          "      - nodeName: deeper\n"
          "        data: $response\n"
          "        mapPredictionsToInstances: true\n"
          "        condition: predictions.#(label==\"dog\")\n"
          "    deeper:\n"
          "      routerType: Splitter\n"
          "      steps:\n"
          "      - {serviceUrl: \"http://m.default.svc.cluster.local/v1/models/n:predict\", weight: 30}\n"
          "      - {serviceName: b, weight: 70}\n"
          "  timeout: 20\n"
          "  routerTimeouts: {serviceClient: 3}\n");
  EXPECT_TRUE(has_graphs(text));
  const GraphDocuments read = read_graph_documents(text, "g.yaml");
  ASSERT_THAT(read.problems, IsEmpty());
  EXPECT_THAT(read.notes, IsEmpty());
  ASSERT_EQ(read.graphs.size(), 1U);
  const InferenceGraph& graph = read.graphs[0];
  EXPECT_EQ(graph.name, "g");
  EXPECT_EQ(graph.timeout, std::chrono::seconds(20));
  EXPECT_EQ(graph.step_timeout, std::chrono::seconds(3));
  ASSERT_EQ(graph.nodes.size(), 2U);
  EXPECT_EQ(graph.nodes[graph.root].name, "root");
  const GraphNode& root = graph.nodes[graph.root];
  ASSERT_EQ(root.steps.size(), 2U);
  EXPECT_EQ(root.steps[0].place, "g.yaml:14:9");
  EXPECT_TRUE(root.steps[0].hard);
  EXPECT_FALSE(root.steps[0].of_response);
  EXPECT_FALSE(root.steps[0].condition);
  EXPECT_TRUE(root.steps[1].of_response && root.steps[1].map_predictions && root.steps[1].condition);
  EXPECT_FALSE(root.steps[1].hard);
  ASSERT_TRUE(root.steps[1].node);
  const GraphNode& splitter = graph.nodes[*root.steps[1].node];
  EXPECT_EQ(splitter.router, GraphRouter::kSplitter);
  EXPECT_EQ(splitter.steps[0].weight, 30);
  EXPECT_THAT(splitter.steps[0].services, ElementsAre("n"));
  EXPECT_EQ(splitter.steps[0].path, "/v1/models/n:predict");
  EXPECT_EQ(answer_key(root.steps[0], 0), "one");
  EXPECT_EQ(answer_key(root.steps[1], 1), "1");
}

TEST(GraphDocument, TellsGraphsByTheirKind) {
  EXPECT_TRUE(has_graphs("kind: \"InferenceGraph\"  # a graph\r\n"));
  EXPECT_TRUE(has_graphs("a: b\nkind: InferenceGraph"));
  EXPECT_FALSE(has_graphs("kind: InferenceService\n# kind: InferenceGraph\n"));
  EXPECT_FALSE(has_graphs("spec:\n  kind: InferenceGraph\n"));
  EXPECT_THAT(read_graph_documents("kind: InferenceGraph\napiVersion: another/v1\n", "g").problems, IsEmpty());
}

TEST(GraphDocument, RefusesWithThePlaceWhatCantBeRun) {
  struct Case {
    const char *nodes, *why;
  };
  const Case table[] = {
      {"    root: {routerType: Sequense, steps: [{serviceName: a}]}\n",
       "g.yaml:6:24: 'spec.nodes.root.routerType' is 'Sequense', but must be one of Sequence, Splitter, Ensemble, "
       "Switch; did you mean 'Sequence'?"},
      {"    root: {routerType: Sequence, steps: []}\n", "'spec.nodes.root.steps' must have at least 1 entry"},
      {"    root: {routerType: Sequence}\n", "'spec.nodes.root.steps' is missing"},
      {"    start: {routerType: Sequence, steps: [{serviceName: a}]}\n", "no node named 'root'"},
      {"    root: {routerType: Sequence, steps: [{service: a}]}\n", "unknown key 'service'"},
      {"    root: {routerType: Sequence, steps: [{name: a}]}\n", "g.yaml:6:42: graph 'g': a step leads nowhere"},
      {"    root: {routerType: Sequence, steps: [{serviceName: a, nodeName: root}]}\n", "leads to several things"},
      {"    root: {routerType: Sequence, steps: [{nodeName: b}]}\n", "no node named 'b'"},
      {"    root: {routerType: Sequence, steps: [{serviceName: a, name: x}, {serviceName: b, name: x}]}\n",
       "two steps named 'x'"},
      {"    root: {routerType: Ensemble, steps: [{serviceName: a, name: '1'}, {serviceName: b}]}\n",
       "two steps named '1'"},
      {"    root: {routerType: Splitter, steps: [{serviceName: a, weight: 20}, {serviceName: b, weight: 70}]}\n",
       "g.yaml:6:5: graph 'g': the weights of the splitter 'root' are 90 together, but must be 100"},
      {"    root: {routerType: Splitter, steps: [{serviceName: a, weight: 100}, {serviceName: b}]}\n",
       "has no 'weight'"},
      {"    root: {routerType: Switch, steps: [{serviceName: a, condition: \"a.@join\"}]}\n", "the modifier @join"},
      {"    root: {routerType: Sequence, steps: [{serviceName: a, dependency: Hart}]}\n", "did you mean 'Hard'?"},
      {"    root: {routerType: Sequence, steps: [{serviceUrl: \"ftp://a/b\"}]}\n", "names no model"},
      {"    root: {routerType: Sequence, steps: [{nodeName: b}]}\n"
       "    b: {routerType: Ensemble, steps: [{serviceName: m}, {nodeName: root}]}\n",
       "g.yaml:7:57: graph 'g': node 'root' leads to itself"},
  };
  for (const Case& c : table) EXPECT_THAT(problem_of(with_nodes(c.nodes)), HasSubstr(c.why)) << c.nodes;
  EXPECT_THAT(problem_of("kind: InferenceGraph\napiVersion: serving.kserve.io/v2\nmetadata: {name: g}\n"
                         "spec: {nodes: {root: {routerType: Sequence, steps: [{serviceName: a}]}}}\n"),
              HasSubstr("g.yaml:2:13: an InferenceGraph of apiVersion 'serving.kserve.io/v2' is not known"));
  EXPECT_THAT(problem_of("kind: InferenceGraph\n  x: [\n"), HasSubstr("not YAML"));
  for (const char* metadata : {"", "metadata: {namespace: x}\n", "metadata: x\n"})
    EXPECT_THAT(problem_of("kind: InferenceGraph\napiVersion: serving.kserve.io/v1alpha1\n" + std::string(metadata) +
                           "spec: {nodes: {root: {routerType: Sequence, steps: [{serviceName: a}]}}}\n"),
                HasSubstr("g.yaml:1:1: 'metadata.name' is missing"));
}

TEST(GraphDocument, RefusesNamesThatKubernetesWould) {
  for (const char* name : {"G", "1g", "g-", "g_h", "g.h"}) {
    std::string text = with_nodes("    root: {routerType: Sequence, steps: [{serviceName: a}]}\n");
    text.replace(text.find("name: g}"), 8, "name: " + std::string(name) + "}");
    EXPECT_THAT(problem_of(text), HasSubstr("can't be named '" + std::string(name) + "'"));
  }
}

TEST(GraphDocument, BoundsHowMuchARequestMayTake) {
  std::string doubling;
  for (int i = 0; i < 12; ++i) {
    const std::string step = i == 11 ? "{serviceName: m}" : "{nodeName: n" + std::to_string(i + 1) + "}";
    doubling += "    " + (i == 0 ? "root" : "n" + std::to_string(i)) + ": {routerType: Ensemble, steps: [" + step +
                ", " + step + "]}\n";
  }
  EXPECT_THAT(problem_of(with_nodes(doubling)), HasSubstr("more than 1024 steps"));
  std::string deep;
  for (int i = 0; i < 40; ++i) {
    const std::string step = i == 39 ? "{serviceName: m}" : "{nodeName: n" + std::to_string(i + 1) + "}";
    deep += "    " + (i == 0 ? "root" : "n" + std::to_string(i)) + ": {routerType: Sequence, steps: [" + step + "]}\n";
  }
  EXPECT_THAT(problem_of(with_nodes(deep)), HasSubstr("more than 32 nodes lie inside of each other"));
}

TEST(GraphDocument, NotesWhatHasNoEffect) {
  const GraphDocuments read =
      read_graph_documents(with_nodes("    root:\n"
                                      "      routerType: Switch\n"
                                      "      steps: [{serviceName: a, data: $response.predictions}]\n"
                                      "  minReplicas: 2\n"
                                      "  routerTimeouts: {serverIdle: 5}\n"),
                           "g.yaml");
  EXPECT_THAT(read.problems, IsEmpty());
  ASSERT_EQ(read.graphs.size(), 1U);
  EXPECT_FALSE(read.graphs[0].nodes[0].steps[0].of_response);
  std::string notes;
  for (const ConfigProblem& note : read.notes) notes += note.place + ": " + note.message + "\n";
  EXPECT_THAT(notes, HasSubstr("g.yaml:9:3: 'minReplicas' has no effect"));
  EXPECT_THAT(notes, HasSubstr("'serverIdle' has no effect"));
  EXPECT_THAT(notes, HasSubstr("is never chosen"));
  EXPECT_THAT(notes, HasSubstr("is taken for $request"));
}

TEST(GraphDocument, ChoosesServicesThatThereAre) {
  GraphDocuments read = read_graph_documents(with_nodes("    root:\n"
                                                        "      routerType: Sequence\n"
                                                        "      steps:\n"
                                                        "      - serviceName: a\n"
                                                        "      - serviceUrl: http://b-predictor.ns.svc.cluster.local\n"
                                                        "      - serviceUrl: http://c.ns.example.com/anything\n"),
                                             "g.yaml");
  ASSERT_EQ(read.graphs.size(), 1U);
  const auto problems = resolve_targets(read.graphs[0], [](const std::string& name) {
    if (name == "b") return GraphTarget::kGraph;
    return name == "a" ? GraphTarget::kModel : GraphTarget::kNone;
  });
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(status_of(problems[0]).message(),
              HasSubstr("g.yaml:11:9: graph 'g' leads to 'http://c.ns.example.com/anything', but there is no model"));
  EXPECT_THAT(read.graphs[0].nodes[0].steps[1].services, ElementsAre("b"));
  EXPECT_FALSE(read.graphs[0].nodes[0].steps[0].graph);
  EXPECT_TRUE(read.graphs[0].nodes[0].steps[1].graph);
}

/// Graphs of one node each, whose steps lead to the graphs and models that are named.
class GraphsTogether : public ::testing::Test {
 protected:
  void add(const std::string& name, const std::vector<std::string>& targets) {
    InferenceGraph graph;
    graph.name = name;
    graph.place = name + ".yaml:1:1";
    GraphNode& root = graph.nodes.emplace_back();
    root.name = "root";
    for (const std::string& target : targets) {
      GraphStep& step = root.steps.emplace_back();
      step.place = name + ".yaml:" + std::to_string(root.steps.size() + 1) + ":1";
      step.target = target;
      step.services = {target};
      step.graph = target != "model";
    }
    graphs_.push_back(std::move(graph));
  }
  std::string told() const {
    std::string out;
    for (const GraphProblem& one : check_graphs_together(graphs_))
      out += one.graph + " " + one.problem.place + ": " + one.problem.message + "\n";
    return out;
  }

  std::vector<InferenceGraph> graphs_;
};

TEST_F(GraphsTogether, MayLeadToEachOther) {
  add("a", {"b", "c", "model"});
  add("b", {"c"});
  add("c", {"model"});
  add("d", {"elsewhere"});
  EXPECT_EQ(told(), "");
}

TEST_F(GraphsTogether, CirclesAreNamed) {
  add("outside", {"a"});
  add("a", {"model", "b"});
  add("b", {"c"});
  add("c", {"a"});
  add("self", {"self"});
  const std::string circle = " c.yaml:2:1: graphs lead to each other in a circle, 'a' -> 'b' -> 'c' -> 'a'; steps must";
  EXPECT_THAT(told(), HasSubstr("a" + circle));
  EXPECT_THAT(told(), HasSubstr("b" + circle));
  EXPECT_THAT(told(), HasSubstr("c" + circle));
  EXPECT_THAT(told(), HasSubstr("self self.yaml:2:1: graphs lead to each other in a circle, 'self' -> 'self'"));
  EXPECT_THAT(told(), Not(HasSubstr("outside"))) << "what is wrong is told where it is";
}

TEST_F(GraphsTogether, HaveBounds) {
  for (int i = 0; i < 31; ++i) add("g" + std::to_string(i), {"g" + std::to_string(i + 1)});
  add("g31", {"model"});
  EXPECT_EQ(told(), "");
  add("one-more", {"g0"});
  EXPECT_THAT(told(), HasSubstr("one-more one-more.yaml:1:1: graph 'one-more': more than 32 nodes lie inside"));
  graphs_.clear();
  for (int i = 0; i < 1000; ++i) add("g" + std::to_string(i), {"g" + std::to_string(i + 1)});
  EXPECT_THAT(told(), HasSubstr("more than 32 nodes lie inside of each other"));
  graphs_.clear();
  for (int i = 0; i < 6; ++i) add("g" + std::to_string(i), std::vector<std::string>(4, "g" + std::to_string(i + 1)));
  add("g6", {"model"});
  EXPECT_THAT(told(), HasSubstr("graph 'g1' may take more than 1024 steps for one request"));
}

TEST(ServiceUrl, NamesAModelByItsPathOrItsHost) {
  struct Case {
    const char *url, *services, *path;
  };
  const Case table[] = {
      {"http://iris.ns.svc.cluster.local/v1/models/m:predict", "m", "/v1/models/m:predict"},
      {"https://iris.ns:8080/v1/models/m/versions/2:predict?x=1", "m", "/v1/models/m/versions/2:predict"},
      {"http://iris/v1/models/m:explain", "m", "/v1/models/m:explain"},
      {"http://iris/v2/models/a%20b/infer", "a b", "/v2/models/a%20b/infer"},
      {"http://iris/v2/models/m/versions/3/infer", "m", "/v2/models/m/versions/3/infer"},
      {"http://iris.ns.svc", "iris", ""},
      {"http://iris:80/", "iris", ""},
      {"http://iris:8000/graphs/g", "g", ""},
      {"http://iris:8000/graphs/g/v1/models/x:predict", "g", ""},
      {"http://iris:8000/graphs/", "", ""},
      {"http://iris-predictor.ns/switch", "iris-predictor iris", ""},
      {"http://iris-predictor-default.ns", "iris-predictor-default iris", ""},
      {"http://iris/v2/models/m/trace/setting", "iris", ""},
      {"http://iris/v2/repository/models/m/unload", "iris", ""},
      {"http://iris/v2/models/infer", "", ""},
      {"http:///v1/models/m:predict", "", ""},
      {"http://", "", ""},
      {"iris.ns.svc", "", ""},
  };
  for (const Case& c : table) {
    const auto url = parse_service_url(c.url);
    ASSERT_EQ(url.ok(), *c.services != 0) << c.url;
    if (!url.ok()) continue;
    std::string services;
    for (const std::string& one : url->services) services += (services.empty() ? "" : " ") + one;
    EXPECT_EQ(services, c.services) << c.url;
    EXPECT_EQ(url->path, c.path) << c.url;
  }
}

}  // namespace
}  // namespace modelmill
