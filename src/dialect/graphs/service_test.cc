#include "dialect/graphs/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "dialect/testing/fakes.h"
#include "model/graph/graph_document.h"

namespace modelmill::graphs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::header_of;
using testing::http_request;
using ::testing::IsEmpty;
using testing::joined;

constexpr const char* kV1 = R"({"instances":[1]})";
constexpr const char* kV2 = R"({"id":"7","inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]})";

/// Graphs over services that say how they were asked; those named "held" keep the exchange.
class GraphService : public ::testing::Test {
 protected:
  GraphService() {
    Context context;
    context.services = [this](std::shared_ptr<wire::HttpExchange> exchange) { serve(std::move(exchange)); };
    context.http.offload = &offload_;
    context.propagated = HeaderPatterns("X-Mine");
    context.draw = [] { return 0; };
    router_.add(
        "v1", [](const std::shared_ptr<wire::HttpExchange>& exchange) { exchange->reply(json_reply(200, "\"v1\"")); },
        wire::ApiGroup::kMetadata);
    add_to(router_, graphs_, std::move(context));
  }

  void publish(const std::string& nodes, const std::string& spec = "") {
    GraphDocuments read = read_graph_documents(
        "apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: g}\nspec:\n" + spec +
            "  nodes:\n" + nodes,
        "g.yaml");
    ASSERT_THAT(read.problems, IsEmpty());
    graphs_.publish(std::move(read.graphs), metrics_);
  }
  void publish_one(const std::string& service, const std::string& spec = "") {
    publish("    root: {routerType: Sequence, steps: [{serviceName: " + service + "}]}\n", spec);
  }

  wire::HttpReply ask(wire::HttpRequest request) {
    return testing::ask(thread_, router_.handler(), std::move(request));
  }
  std::string post(const std::string& path, const std::string& body = kV1) {
    const wire::HttpReply reply = ask(http_request("POST", path, body));
    return std::to_string(reply.status) + " " + joined(reply.body);
  }

  void serve(std::shared_ptr<wire::HttpExchange> exchange) {
    const wire::HttpRequest& request = exchange->request();
    if (request.path.find("held") != std::string::npos) {
      exchange->on_abandoned([this] { ++abandoned_; });
      held_ = std::move(exchange);
      ++holds_;
      holds_.notify_all();
      return;
    }
    headers_ = request.headers;
    exchange->reply(
        json_reply(200, "{\"path\":\"" + request.path + "\",\"bytes\":" + std::to_string(request.body.size()) + "}"));
  }

  testing::LoopThread thread_;
  Offload offload_{1, 16};
  MetricRegistry metrics_;
  GraphTable graphs_;
  HttpRouter router_;
  std::vector<std::pair<std::string, std::string>> headers_;
  std::shared_ptr<wire::HttpExchange> held_;
  std::atomic<int> abandoned_{0}, holds_{0};
};

TEST_F(GraphService, AnswersAtItsPaths) {
  publish_one("m");
  const std::string answer = R"(200 {"path":"/v1/models/m:predict","bytes":17})";
  for (const char* path : {"/graphs/g", "/graphs/g/", "/graphs/g/v1/models/any:predict", "/v1/models/g:predict",
                           "/kserve/v1/models/g:predict", "/v2/models/g/infer"})
    EXPECT_EQ(post(path), answer) << path;
  EXPECT_EQ(post("/v1/models/other:predict"), "200 \"v1\"");
  EXPECT_THAT(post("/graphs/none"), HasSubstr("404 {\"error\":\"there is no graph named 'none'"));
  const wire::HttpReply by_host = ask(http_request("POST", "/", kV1, {{"host", "G.default.example.com:80"}}));
  EXPECT_EQ("200 " + joined(by_host.body), answer);
  EXPECT_EQ(header_of(by_host, "Content-Type"), "application/json");
  EXPECT_EQ(ask(http_request("POST", "/", kV1, {{"host", "h.default.example.com"}})).status, 404);
  EXPECT_THAT(metrics_.render(), HasSubstr(R"(modelmill_graph_requests_total{graph="g",result="success"} 7)"));
  EXPECT_THAT(metrics_.render(), HasSubstr(R"(modelmill_graph_node_requests_total{graph="g",node="root"} 7)"));
}

TEST_F(GraphService, TellsOfItself) {
  publish("    root: {routerType: Splitter, steps: [{serviceName: m, weight: 100, name: s}]}\n");
  EXPECT_EQ(joined(ask(http_request("GET", "/v1/models/g")).body), R"({"name":"g","ready":true})");
  EXPECT_EQ(ask(http_request("GET", "/v2/models/g/ready")).status, 200);
  const std::string graph =
      R"({"name":"g","declared_at":"g.yaml:1:1","state":"READY","nodes":{"root":{"routerType":"Splitter","steps":[)"
      R"({"name":"s","model":"m","weight":100,"dependency":"Soft"}]}}})";
  EXPECT_EQ(joined(ask(http_request("GET", "/graphs/g")).body), graph);
  EXPECT_EQ(joined(ask(http_request("GET", "/graphs")).body), R"({"graphs":[)" + graph + "]}");
  EXPECT_EQ(ask(http_request("GET", "/graphs/h")).status, 404);
  EXPECT_EQ(ask(http_request("DELETE", "/graphs/g")).status, 405);
  EXPECT_EQ(testing::header_of(ask(http_request("DELETE", "/graphs/g")), "Allow"), "GET, POST");
  EXPECT_EQ(testing::header_of(ask(http_request("DELETE", "/graphs")), "Allow"), "GET");
  EXPECT_EQ(router_.group(http_request("POST", "/graphs/g")), wire::ApiGroup::kInference);
  EXPECT_EQ(router_.group(http_request("GET", "/graphs")), wire::ApiGroup::kMetadata);
  EXPECT_EQ(router_.group(http_request("POST", "/", "", {{"host", "g.a"}})), wire::ApiGroup::kInference);
  EXPECT_EQ(router_.group(http_request("POST", "/v1/models/g:predict")), wire::ApiGroup::kInference);
  EXPECT_EQ(router_.group(http_request("POST", "/v1/models/m:predict")), wire::ApiGroup::kMetadata);
}

TEST_F(GraphService, AsksByTheProtocolOfTheBodyOrTheUrl) {
  publish_one("m");
  EXPECT_THAT(post("/graphs/g", kV2), HasSubstr("/v2/models/m/infer"));
  EXPECT_THAT(post("/graphs/g", R"({"inputs":[[1,2]]})"), HasSubstr("/v1/models/m:predict"));
  EXPECT_THAT(post("/graphs/g", "text"), HasSubstr("/v1/models/m:predict"));
  EXPECT_THAT(post("/graphs/g", std::string(kV2) + std::string(100000, ' ')), HasSubstr("/v2/models/m/infer"));
  publish("    root: {routerType: Sequence, steps: [{serviceUrl: \"http://h/v2/models/m/versions/3/infer\"}]}\n");
  EXPECT_THAT(post("/graphs/g", kV1), HasSubstr("/v2/models/m/versions/3/infer"));
}

TEST_F(GraphService, PassesOnTheHeadersThatItIsToldOf) {
  publish_one("m");
  ask(http_request("POST", "/graphs/g", kV1,
                   {{"x-mine", "1"}, {"x-other", "2"}, {"content-type", "text/plain"}, {"host", "h"}}));
  EXPECT_THAT(headers_, ElementsAre(std::pair<std::string, std::string>("x-mine", "1"),
                                    std::pair<std::string, std::string>("content-type", "application/json")));
}

TEST_F(GraphService, TellsFailuresAsKservesRouterDoes) {
  publish("    root: {routerType: Switch, steps: [{serviceName: m, condition: none}]}\n");
  EXPECT_EQ(post("/graphs/g"),
            R"(404 {"error":"Failed to process request","cause":"None of the routes matched with the switch )"
            R"(condition"})");
  publish_one("m");
  EXPECT_EQ(ask(http_request("POST", "/graphs/g", "x", {{"content-encoding", "gzip"}})).status, 400);
}

TEST_F(GraphService, StepsMayTakeOnlySoLong) {
  publish_one("held", "  routerTimeouts: {serviceClient: 1}\n");
  EXPECT_EQ(post("/graphs/g"),
            R"(500 {"error":"Failed to process request","cause":"'held' has not answered within serviceClient of the )"
            R"(graph"})");
  EXPECT_EQ(abandoned_, 1);
  publish_one("held", "  timeout: 1\n");
  EXPECT_THAT(post("/graphs/g"), HasSubstr("504 "));
  EXPECT_EQ(abandoned_, 2);
}

TEST_F(GraphService, GraphsLeadToEachOther) {
  const auto node = [](const std::string& name, const std::string& steps, const std::string& type = "Sequence") {
    return "apiVersion: serving.kserve.io/v1alpha1\nkind: InferenceGraph\nmetadata: {name: " + name +
           "}\nspec: {nodes: {root: {routerType: " + type + ", steps: " + steps + "}}}\n---\n";
  };
  GraphDocuments read = read_graph_documents(
      node("outer", "[{serviceName: inner, name: a}, {serviceUrl: http://x/graphs/inner, name: b}]", "Ensemble") +
          node("inner", "[{serviceName: m}, {serviceName: k, data: $response, condition: path}]") +
          node("lost", "[{serviceName: gone}]") + node("waits", "[{serviceName: held-graph}]") +
          node("held-graph", "[{serviceName: held}]"),
      "g.yaml");
  ASSERT_THAT(read.problems, IsEmpty());
  for (InferenceGraph& graph : read.graphs)
    for (GraphStep& step : graph.nodes[0].steps)
      step.graph = step.services[0] == "inner" || step.services[0] == "gone" || step.services[0] == "held-graph";
  graphs_.publish(std::move(read.graphs), metrics_);
  EXPECT_EQ(post("/graphs/outer"), R"(200 {"a":{"path":"/v1/models/k:predict","bytes":42},)"
                                   R"("b":{"path":"/v1/models/k:predict","bytes":42}})");
  EXPECT_THAT(headers_, ElementsAre(std::pair<std::string, std::string>("content-type", "application/json")));
  EXPECT_THAT(post("/graphs/lost"), HasSubstr("graph 'lost' leads to graph 'gone', which is not served any more"));
  const auto exchange =
      std::make_shared<testing::FakeExchange>(thread_.loop(), http_request("POST", "/graphs/waits", kV1));
  thread_.run([&] { router_.handle(exchange); });
  holds_.wait(0);
  thread_.run([&] { exchange->abandoned(); });
  EXPECT_EQ(abandoned_, 1) << "all that is under way is cancelled";
}

TEST_F(GraphService, AClientThatGoesAwayCancelsTheSteps) {
  publish("    root: {routerType: Ensemble, steps: [{serviceName: m}, {serviceName: held}]}\n");
  const auto exchange = std::make_shared<testing::FakeExchange>(thread_.loop(), http_request("POST", "/graphs/g", kV1));
  thread_.run([&] { router_.handle(exchange); });
  holds_.wait(0);
  thread_.run([&] { exchange->abandoned(); });
  EXPECT_EQ(abandoned_, 1);
  thread_.run([&] { held_->reply(json_reply(200, "{}")); });  // is not heard
  thread_.run([] {});
}

}  // namespace
}  // namespace modelmill::graphs
