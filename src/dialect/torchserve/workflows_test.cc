#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "catalog/testing/no_model_control.h"
#include "dialect/testing/fakes.h"
#include "dialect/torchserve/service.h"
#include "dialect/torchserve/testing/handlers.h"
#include "serve/testing/fake_version.h"

namespace modelmill::torchserve {
namespace {

using testing::body_response;
using ::testing::ElementsAre;
using testing::FakeCatalog;
using testing::handler;
using ::testing::HasSubstr;
using testing::joined;
using testing::LoopThread;
using testing::text_parameter;

class FakeWorkflows final : public WorkflowControl {
 public:
  void add(WorkflowAddition addition, Added done) override {
    if (!refusal.ok()) return done(refusal);
    served.push_back(std::make_shared<const Workflow>(Workflow{addition.workflow, addition.place}));
    done(served.back());
  }
  void remove(const std::string& name, Done done) override {
    done(find(name) ? ok_status() : not_found("Workflow not found: " + name));
  }
  std::shared_ptr<const Workflow> find(const std::string& name) const override {
    for (const auto& one : served)
      if (one->name == name) return one;
    return nullptr;
  }
  std::vector<std::shared_ptr<const Workflow>> list() const override { return served; }

  std::vector<std::shared_ptr<const Workflow>> served;
  Status refusal;
};

std::string body_of(const InferRequest& request) {
  return std::string(request.inputs[0].contiguous().view().substr(4));
}

class Workflows : public ::testing::Test {
 protected:
  Workflows() : inference_(catalog_.catalog()), service_(inference_, control_, options()) { service_.add_to(router_); }

  Service::Options options() {
    Service::Options out{"1.2", [] { return true; }};
    out.workflows = &workflows_;
    return out;
  }
  /// A workflow of nodes {name, followers}; each is a handler of its own.
  void serve(const std::string& name, const std::vector<std::pair<std::string, std::vector<size_t>>>& nodes,
             int retries = 0, int timeout_ms = 60'000) {
    Workflow workflow{name, name + ".war"};
    for (const auto& [node, next] : nodes)
      workflow.nodes.push_back({node, name + "__" + node, retries, std::chrono::milliseconds(timeout_ms), next, 0});
    for (const auto& [node, next] : nodes)
      for (const size_t to : next) ++workflow.nodes[to].inputs;
    workflows_.served.push_back(std::make_shared<const Workflow>(std::move(workflow)));
  }
  void node(const std::string& model, testing::FakeVersion::Run run) { catalog_.add(handler(model), std::move(run)); }
  /// Answers what `make` gives for the body.
  void node(const std::string& model, std::function<std::string(const std::string&)> make) {
    node(model, testing::FakeVersion::Run([make = std::move(make)](InferRequestPtr request) {
           const std::string answer = make(body_of(*request));
           request->complete(body_response(answer));
         }));
  }

  wire::HttpReply http(std::string method, std::string path, std::string body = "",
                       std::vector<std::pair<std::string, std::string>> headers = {}) {
    return testing::ask(thread_, router_.handler(),
                        testing::http_request(std::move(method), std::move(path), std::move(body), std::move(headers)));
  }
  std::string ask(const std::string& method, const std::string& path, int status, const std::string& body = "") {
    const auto reply = http(method, path, body);
    EXPECT_EQ(reply.status, status) << joined(reply.body);
    return joined(reply.body);
  }

  FakeCatalog catalog_;
  Inference inference_;
  modelmill::testing::NoModelControl control_;
  FakeWorkflows workflows_;
  Service service_;
  HttpRouter router_;
  LoopThread thread_;  // ends before what it uses
};

TEST_F(Workflows, NodesFollowEachOther) {
  serve("wf", {{"pre", {1}}, {"m", {2}}, {"post", {}}});
  std::string first, second;
  node("wf__pre", testing::FakeVersion::Run([&](InferRequestPtr request) {
         first = text_parameter(request->parameters, "content_type") + "|" + body_of(*request);
         request->complete(body_response("{\"a\": 1}"));
       }));
  node("wf__m", testing::FakeVersion::Run([&](InferRequestPtr request) {
         second = text_parameter(request->parameters, "content_type") + "|" + body_of(*request) + "|" +
                  text_parameter(request->parameters, "headers");
         request->complete(body_response("b"));
       }));
  node("wf__post", [](const std::string& body) { return body + "c"; });
  const auto reply = http("POST", "/wfpredict/wf", "x", {{"content-type", "text/plain"}, {"x-user", "me"}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(joined(reply.body), "bc");
  EXPECT_EQ(testing::header_of(reply, "Content-Type"), "application/json");
  EXPECT_EQ(first, "text/plain|x");
  // What a node gets is bytes, also where they are JSON.
  EXPECT_THAT(second, ::testing::StartsWith("application/octet-stream|{\"a\": 1}|"));
  EXPECT_THAT(second, HasSubstr("\"x-user\":\"me\""));
  EXPECT_EQ(joined(http("PUT", "/torchserve/wfpredict/wf", "x").body), "bc");
}

TEST_F(Workflows, SeveralPredecessorsAreFieldsOfAForm) {
  serve("wf", {{"pre", {1, 2}}, {"a", {3}}, {"b", {3}}, {"sum", {}}});
  node("wf__pre", [](const std::string& body) { return body; });
  node("wf__a", [](const std::string& body) { return "a" + body; });
  node("wf__b", [](const std::string& body) { return "b" + body; });
  node("wf__sum", [](const std::string& form) { return form; });
  const std::string form = ask("POST", "/wfpredict/wf", 200, "1");
  EXPECT_THAT(form, HasSubstr("name=\"a\""));
  EXPECT_THAT(form, HasSubstr("\r\n\r\na1\r\n"));
  EXPECT_THAT(form, HasSubstr("name=\"b\""));
  EXPECT_THAT(form, HasSubstr("\r\n\r\nb1\r\n"));
}

TEST_F(Workflows, SeveralAnswersAreAnObjectByNode) {
  serve("wf", {{"pre", {1, 2, 3}}, {"a", {}}, {"b", {}}, {"c", {}}});
  node("wf__pre", [](const std::string& body) { return body; });
  node("wf__a", [](const std::string&) { return "plain"; });
  node("wf__b", [](const std::string&) { return "{\n  \"x\": [1, 2.5]\n}"; });
  node("wf__c", [](const std::string&) { return ""; });
  EXPECT_EQ(ask("POST", "/wfpredict/wf", 200),
            "{\n  \"a\": \"plain\",\n  \"b\": {\n    \"x\": [\n      1,\n      2.5\n    ]\n  },\n  \"c\": \"\"\n}\n");
}

TEST_F(Workflows, ModelsOfTensorsAreNodesToo) {
  serve("wf", {{"m", {1}}, {"n", {}}});
  catalog_.add(testing::simple_description("wf__m"));
  catalog_.add(testing::simple_description("wf__n"));
  EXPECT_EQ(ask("POST", "/wfpredict/wf", 200, "[1, 2, 3, 4]"), "[1.0,2.0,3.0,4.0]");
}

TEST_F(Workflows, WhatFailsIsAskedAgain) {
  serve("wf", {{"a", {}}}, /*retries=*/2);
  int asked = 0;
  node("wf__a", testing::FakeVersion::Run([&](InferRequestPtr request) {
         if (++asked < 3) return request->fail(internal("not yet"));
         request->complete(body_response("third"));
       }));
  EXPECT_EQ(ask("POST", "/wfpredict/wf", 200), "third");
  asked = -3;
  const std::string said = ask("POST", "/wfpredict/wf", 500);
  EXPECT_THAT(said, HasSubstr("\"type\": \"InternalServerException\""));
  EXPECT_THAT(said, HasSubstr("\"message\": \"Error executing a\""));
  EXPECT_EQ(asked, 0);
}

TEST_F(Workflows, WhatTakesTooLongIsCancelled) {
  serve("wf", {{"slow", {}}}, /*retries=*/1, /*timeout_ms=*/1);
  std::mutex mutex;
  std::vector<InferRequestPtr> kept;
  node("wf__slow", testing::FakeVersion::Run([&](InferRequestPtr request) {
         const std::lock_guard lock(mutex);
         kept.push_back(std::move(request));
       }));
  EXPECT_THAT(ask("POST", "/wfpredict/wf", 500), HasSubstr("Error executing slow"));
  const std::lock_guard lock(mutex);
  ASSERT_EQ(kept.size(), 2U);
  for (InferRequestPtr& request : kept) {
    EXPECT_EQ(request->cancel->reason(), CancelToken::Reason::kDeadline);
    request->complete(body_response("too late"));
  }
}

TEST_F(Workflows, AClientThatGoesAwayEndsIt) {
  serve("wf", {{"a", {}}});
  std::promise<InferRequestPtr> asked;
  node("wf__a", testing::FakeVersion::Run([&](InferRequestPtr request) { asked.set_value(std::move(request)); }));
  const auto exchange =
      std::make_shared<testing::FakeExchange>(thread_.loop(), testing::http_request("POST", "/wfpredict/wf", ""));
  thread_.run([&] { router_.handle(exchange); });
  const InferRequestPtr request = asked.get_future().get();
  thread_.run([&] { exchange->abandoned(); });
  EXPECT_EQ(request->cancel->reason(), CancelToken::Reason::kClientGone);
  request->fail(cancelled("gone"));
}

TEST_F(Workflows, ANodeThatIsGoneIsAnError) {
  serve("wf", {{"a", {}}}, /*retries=*/5);
  EXPECT_THAT(ask("POST", "/wfpredict/wf", 500), HasSubstr("Error executing a"));
}

TEST_F(Workflows, AreManaged) {
  EXPECT_THAT(ask("POST", "/workflows?url=wf.war&workflow_name=mine", 200),
              HasSubstr("Workflow mine has been registered and scaled successfully."));
  EXPECT_THAT(ask("GET", "/workflows?limit=1", 200), HasSubstr("\"workflowUrl\": \"wf.war\""));
  const std::string described = ask("GET", "/workflows/mine", 200);
  EXPECT_THAT(described, HasSubstr("\"maxBatchDelay\": 50"));
  EXPECT_THAT(ask("DELETE", "/workflows/mine", 200), HasSubstr(R"(Workflow \"mine\" unregistered)"));
  EXPECT_THAT(ask("GET", "/workflows/none", 404), HasSubstr("WorkflowNotFoundException"));
  EXPECT_THAT(ask("DELETE", "/workflows/none", 404), HasSubstr("Workflow not found: none"));
  EXPECT_THAT(ask("POST", "/wfpredict/none", 404), HasSubstr("Workflow not found: none"));
  EXPECT_THAT(ask("POST", "/workflows", 400), HasSubstr("Parameter url is required."));
  ask("PUT", "/workflows/mine", 405);
  ask("GET", "/workflows/mine/1", 404);
  ask("DELETE", "/wfpredict/mine", 405);
  ask("POST", "/wfpredict", 404);
  const std::pair<Status, std::pair<int, const char*>> cases[] = {
      {already_exists("x"), {409, "ConflictStatusException"}},
      {invalid_argument("DAG has a loop"), {400, "InvalidDAGException"}},
      {invalid_argument("no dag"), {400, "InvalidWorkflowException"}},
      {invalid_argument("Failed to download archive from: u"), {400, "DownloadArchiveException"}},
      {internal("x"), {500, "WorkflowException"}},
      {unavailable("x"), {503, "ServiceUnavailableException"}},
  };
  for (const auto& [status, expected] : cases) {
    workflows_.refusal = status;
    EXPECT_THAT(ask("POST", "/workflows?url=x", expected.first), HasSubstr(expected.second));
  }
}

TEST_F(Workflows, ArePaged) {
  for (const char* name : {"a", "b", "c"}) serve(name, {{"n", {}}});
  const std::string page = ask("GET", "/workflows?limit=2", 200);
  EXPECT_THAT(page, ::testing::AllOf(HasSubstr("\"nextPageToken\": \"2\""), HasSubstr("\"a\""), HasSubstr("\"b\"")));
  const std::string last = ask("GET", "/workflows?limit=2&next_page_token=2", 200);
  EXPECT_THAT(last, ::testing::AllOf(HasSubstr("\"c\""), ::testing::Not(HasSubstr("nextPageToken"))));
}

}  // namespace
}  // namespace modelmill::torchserve
