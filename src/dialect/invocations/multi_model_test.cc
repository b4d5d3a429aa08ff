#include "dialect/invocations/multi_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "catalog/testing/no_model_control.h"
#include "dialect/invocations/service.h"
#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::invocations {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::joined;
using ::testing::Not;

/// Answers as it is told, at once or when it is let, and serves what it has loaded.
class FakeControl final : public modelmill::testing::NoModelControl {
 public:
  explicit FakeControl(testing::FakeCatalog& catalog) : catalog_(catalog) {}

  void add(ModelAddition addition, Added done) override {
    added.push_back(addition.model + "=" + addition.folder);
    const auto answer = [this, model = addition.model, done = std::move(done)] {
      if (outcome.ok()) catalog_.add(testing::simple_description(model));
      done(outcome.ok() ? Result<AddedModel>(AddedModel{model, 1}) : Result<AddedModel>(outcome));
    };
    if (!waits) return answer();
    waiting = answer;
  }
  void unload(ModelUnload unload, Done done) override {
    unloaded.push_back(unload.model);
    if (unload_outcome.ok()) take_away(unload.model);
    done(unload_outcome);
  }
  void take_away(const std::string& model) {
    auto table = std::make_shared<ModelTable>();
    const auto before = catalog_.catalog().table();
    for (const ModelEntry* entry : before->entries())
      if (entry->name != model) table->put(before->share(entry->name));
    catalog_.catalog().publish(table);
  }

  Status outcome, unload_outcome;
  bool waits = false;
  std::function<void()> waiting;
  std::vector<std::string> added, unloaded;

 private:
  testing::FakeCatalog& catalog_;
};

class MultiModelTest : public ::testing::Test {
 protected:
  MultiModelTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_ + "/models/m/model");
    fs::create_directories(folder_ + "/other");
    fs::create_directory_symlink(folder_ + "/other", folder_ + "/models/out");
    endpoint_ = std::make_shared<MultiModel>(
        control_, catalog_.catalog(), nullptr, std::vector<std::string>{folder_ + "/none", folder_ + "/models"},
        [](const MultiModel::Exchange& exchange, const std::string& model) {
          exchange->reply(wire::HttpReply::text(200, "text/plain", "asked " + model));
        });
  }

  std::string ask(const char* method, const std::string& path, const std::string& body = "") {
    wire::HttpRequest request = testing::http_request(method, path.substr(0, path.find('?')), body);
    if (path.find('?') != std::string::npos) request.query = path.substr(path.find('?') + 1);
    const auto reply = testing::ask(
        thread_, [this](const MultiModel::Exchange& exchange) { endpoint_->handle(exchange); }, std::move(request));
    return std::to_string(reply.status) + " " + joined(reply.body);
  }
  std::string url(const std::string& model) const { return folder_ + "/models/" + model + "/model"; }
  std::string load(const std::string& model, const std::string& from) {
    return ask("POST", "/models", R"({"model_name":")" + model + R"(","url":")" + from + "\"}");
  }

  const std::string folder_ = fs::canonical(::testing::TempDir()).string() + "/multi_model_test";
  testing::LoopThread thread_;
  testing::FakeCatalog catalog_;
  FakeControl control_{catalog_};
  std::shared_ptr<MultiModel> endpoint_;
};

TEST_F(MultiModelTest, AModelComesAnswersAndGoes) {
  EXPECT_EQ(ask("GET", "/models"), R"(200 {"models":[]})");
  EXPECT_THAT(ask("POST", "/models/m/invoke"), HasSubstr("404 "));
  EXPECT_EQ(load("m", url("m")), "200 {}");
  EXPECT_THAT(control_.added, ElementsAre("m=" + url("m")));
  const std::string described = R"({"modelName":"m","modelUrl":")" + url("m") + "\"}";
  EXPECT_EQ(ask("GET", "/models"), R"(200 {"models":[)" + described + "]}");
  EXPECT_EQ(ask("GET", "/models/m"), "200 " + described);
  EXPECT_EQ(ask("POST", "/models/m/invoke"), "200 asked m");
  EXPECT_THAT(load("m", url("m")), HasSubstr("409 "));
  EXPECT_EQ(ask("DELETE", "/models/m"), "200 {}");
  EXPECT_THAT(control_.unloaded, ElementsAre("m"));
  for (const char* method : {"GET", "DELETE"}) EXPECT_THAT(ask(method, "/models/m"), HasSubstr("404 ")) << method;
  EXPECT_EQ(load("m", url("m")), "200 {}");
}

TEST_F(MultiModelTest, WhatFailsIsNotThereAndSaysHow) {
  const std::pair<Status, const char*> cases[] = {{resource_exhausted("no memory"), R"(507 {"error":"no memory"})"},
                                                  {already_exists("there"), R"(409 {"error":"there"})"},
                                                  {invalid_argument("no model"), R"(400 {"error":"no model"})"}};
  for (const auto& [outcome, answer] : cases) {
    control_.outcome = outcome;
    EXPECT_EQ(load("m", url("m")), answer);
    EXPECT_THAT(ask("GET", "/models/m"), HasSubstr("404 "));
  }
  control_.outcome = ok_status();
  EXPECT_EQ(load("m", url("m")), "200 {}");
  control_.unload_outcome = unavailable("not now");
  EXPECT_EQ(ask("DELETE", "/models/m"), R"(503 {"error":"not now"})");
  EXPECT_EQ(ask("POST", "/models/m/invoke"), "200 asked m");
}

TEST_F(MultiModelTest, FoldersElsewhereAreRefused) {
  EXPECT_THAT(load("m", folder_ + "/other"),
              HasSubstr("is not below '" + folder_ + "/none' or '" + folder_ + "/models'"));
  EXPECT_THAT(load("m", folder_ + "/models/out"), HasSubstr("is not below"));
  EXPECT_THAT(load("m", folder_ + "/models/m/../../other"), HasSubstr("is not below"));
  EXPECT_THAT(load("m", folder_ + "/models"), HasSubstr("is not below"));
  EXPECT_THAT(load("x", folder_ + "/models/x"), HasSubstr("there is no folder"));
  control_.added.clear();
  EXPECT_THAT(ask("POST", "/models", "{"), HasSubstr("400 "));
  EXPECT_THAT(ask("POST", "/models", R"({"model_name":"m"})"), HasSubstr("'model_name' and 'url'"));
  EXPECT_THAT(ask("POST", "/models", std::string(70'000, ' ')), HasSubstr("at most 65536"));
  EXPECT_TRUE(control_.added.empty());
}

TEST_F(MultiModelTest, WhatIsUnderWayIsNotThereYet) {
  control_.waits = true;
  const auto exchange = std::make_shared<testing::FakeExchange>(
      thread_.loop(), testing::http_request("POST", "/models", R"({"model_name":"m","url":")" + url("m") + "\"}"));
  thread_.run([&] { endpoint_->handle(exchange); });
  EXPECT_THAT(load("m", url("m")), HasSubstr("409 "));
  EXPECT_THAT(ask("POST", "/models/m/invoke"), HasSubstr("404 "));
  EXPECT_EQ(ask("GET", "/models"), R"(200 {"models":[]})");
  control_.waiting();
  EXPECT_EQ(exchange->wait().status, 200);
  EXPECT_EQ(ask("POST", "/models/m/invoke"), "200 asked m");
}

TEST_F(MultiModelTest, AModelThatIsServedAnywayIsNotTakenAway) {
  catalog_.add(testing::simple_description("own"));
  EXPECT_THAT(load("own", url("m")), HasSubstr("409 "));
  EXPECT_TRUE(control_.added.empty() && control_.unloaded.empty());
}

TEST_F(MultiModelTest, WhatOthersTookAwayIsNotThereAndMayComeAgain) {
  EXPECT_EQ(load("m", url("m")), "200 {}");
  control_.take_away("m");
  EXPECT_EQ(ask("GET", "/models"), R"(200 {"models":[]})");
  for (const char* path : {"/models/m/invoke", "/models/m"})
    EXPECT_THAT(ask(path == std::string("/models/m") ? "DELETE" : "POST", path), HasSubstr("404 ")) << path;
  EXPECT_EQ(load("m", url("m")), "200 {}");
  EXPECT_EQ(ask("POST", "/models/m/invoke"), "200 asked m");
  control_.unload_outcome = not_found("gone");
  EXPECT_EQ(ask("DELETE", "/models/m"), "200 {}");
}

TEST_F(MultiModelTest, ALoadOfAnothersIsNotEnded) {
  control_.outcome = already_exists("another loads it");
  EXPECT_THAT(load("m", url("m")), HasSubstr("409 "));
  EXPECT_TRUE(control_.unloaded.empty());
}

TEST_F(MultiModelTest, ManyModelsAreListedInPages) {
  for (int i = 0; i < 205; ++i) EXPECT_EQ(load("m" + std::to_string(1000 + i), url("m")), "200 {}");
  EXPECT_THAT(ask("GET", "/models"), HasSubstr(R"("nextPageToken":"m1099"})"));
  const std::string second = ask("GET", "/models?next_page_token=m1099");
  EXPECT_THAT(second, HasSubstr(R"({"models":[{"modelName":"m1100")"));
  EXPECT_THAT(second, HasSubstr(R"("nextPageToken":"m1199"})"));
  const std::string last = ask("GET", "/models?next_page_token=m1199");
  EXPECT_THAT(last, HasSubstr("m1204"));
  EXPECT_THAT(last, Not(HasSubstr("nextPageToken")));
}

TEST_F(MultiModelTest, OtherPathsAndMethodsAreRefused) {
  EXPECT_THAT(ask("PUT", "/models"), HasSubstr("405 "));
  EXPECT_THAT(ask("POST", "/models/m"), HasSubstr("405 "));
  EXPECT_THAT(ask("GET", "/models/m/invoke"), HasSubstr("405 "));
  EXPECT_THAT(ask("POST", "/models/m/other"), HasSubstr("404 "));
  EXPECT_THAT(ask("POST", "/models/m/invoke/more"), HasSubstr("404 "));
}

TEST_F(MultiModelTest, OnlyAskingAModelIsInference) {
  Inference inference(catalog_.catalog());
  HttpRouter router;
  Options options{.server_version = "1.2.3", .ready = [] { return true; }};
  options.regions = std::make_shared<kserve_v2::SharedRegions>(std::vector<std::string>(), 0);
  options.multi_model_folders = {folder_};
  options.control = &control_;
  add_to(router, inference, std::move(options));
  const auto group = [&](const char* method, const char* path) {
    return router.group(testing::http_request(method, path, ""));
  };
  EXPECT_EQ(group("POST", "/models/m/invoke"), wire::ApiGroup::kInference);
  EXPECT_EQ(group("GET", "/models"), wire::ApiGroup::kMetadata);
  EXPECT_EQ(group("POST", "/models"), wire::ApiGroup::kManagement);
  EXPECT_EQ(group("DELETE", "/models/m"), wire::ApiGroup::kManagement);
  EXPECT_EQ(group("DELETE", "/models/invoke"), wire::ApiGroup::kManagement);
}

}  // namespace
}  // namespace modelmill::invocations
