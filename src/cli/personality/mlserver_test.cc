#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "cli/personality/mlserver_draft.h"
#include "cli/personality/personality.h"

namespace modelmill::personality {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MlserverTest : public ::testing::Test {
 protected:
  MlserverTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name) << text; }

  Outcome parse(const std::vector<std::string>& arguments) {
    return kMlserver.parse(arguments, [this](const char* name) -> std::optional<std::string> {
      const auto found = environs_.find(name);
      return found == environs_.end() ? std::nullopt : std::optional(found->second);
    });
  }

  Launch launch() {
    Outcome outcome = parse({"start", folder_});
    if (const Answer* answer = std::get_if<Answer>(&outcome)) ADD_FAILURE() << answer->text;
    return std::holds_alternative<Launch>(outcome) ? std::get<Launch>(outcome) : Launch();
  }

  std::string refusal(const std::vector<std::string>& arguments, int exit_code) {
    const Outcome outcome = parse(arguments);
    const Answer* answer = std::get_if<Answer>(&outcome);
    if (answer == nullptr) return "taken";
    EXPECT_EQ(answer->exit_code, exit_code) << answer->text;
    return answer->text;
  }

  const std::string folder_ = ::testing::TempDir() + "mlserver_test";
  std::map<std::string, std::string> environs_;
};

TEST_F(MlserverTest, WithoutSettingsItIsAsMlserverIs) {
  const Launch taken = launch();
  const ServerConfig& config = taken.config;
  ASSERT_THAT(config.listen, SizeIs(3));
  EXPECT_EQ(url_text(config.listen[0]), "http://0.0.0.0:8080");
  EXPECT_EQ(config.listen[0].serves, (wire::Services{true, false, false}));
  EXPECT_EQ(url_text(config.listen[1]), "http://0.0.0.0:8081");
  EXPECT_EQ(config.listen[1].serves, (wire::Services{false, true, false}));
  EXPECT_EQ(url_text(config.listen[2]), "http://0.0.0.0:8082");
  EXPECT_EQ(config.listen[2].serves, (wire::Services{false, false, true}));
  EXPECT_THAT(config.paths, ElementsAre(folder_));
  EXPECT_THAT(config.control.load_models, ElementsAre("*"));
  EXPECT_EQ(config.failed_models, FailedModels::kEnd);
  EXPECT_EQ(config.server_name, "mlserver");
  EXPECT_EQ(config.mlserver_metrics_prefix, "rest_server");
  ASSERT_THAT(taken.notices, SizeIs(1));
  EXPECT_EQ(taken.notices[0].flag, "host");
}

TEST_F(MlserverTest, TheFileCountsMoreThanTheEnvironment) {
  write("settings.json", R"({"http_port": 9000, "host": "127.0.0.1", "metrics_endpoint": null, "unheard_of": 1})");
  environs_ = {{"MLSERVER_HTTP_PORT", "9001"}, {"MLSERVER_GRPC_PORT", "9002"}};
  const Launch taken = launch();
  ASSERT_THAT(taken.config.listen, SizeIs(2));
  EXPECT_EQ(url_text(taken.config.listen[0]), "http://127.0.0.1:9000");
  EXPECT_EQ(url_text(taken.config.listen[1]), "http://127.0.0.1:9002");
  EXPECT_THAT(taken.notices, IsEmpty());
  EXPECT_EQ(taken.config.mlserver_metrics_prefix, "");
}

TEST_F(MlserverTest, SettingsAreMapped) {
  write("settings.json", R"({"debug": true, "parallel_workers": 3, "parallel_workers_timeout": 7,
    "load_models_at_startup": false, "server_name": "mine", "grpc_max_message_length": 1000,
    "cors_settings": {"allow_origins": ["https://a.example"]}, "use_structured_logging": true, "metrics_port": 8080,
    "metrics_rest_server_prefix": "own", "cache_enabled": true})");
  const Launch taken = launch();
  const ServerConfig& config = taken.config;
  EXPECT_TRUE(taken.log.debug);
  EXPECT_EQ(config.instances, 3);
  EXPECT_EQ(config.drain_timeout, std::chrono::seconds(7));
  EXPECT_EQ(config.control.mode, ControlMode::kExplicit);
  EXPECT_THAT(config.control.load_models, IsEmpty());
  EXPECT_EQ(config.server_name, "mine");
  EXPECT_EQ(config.limits.grpc_message, 1000U);
  EXPECT_THAT(config.access.cors_origins, ElementsAre("https://a.example"));
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_EQ(config.mlserver_metrics_prefix, "own");
  ASSERT_THAT(config.listen, SizeIs(2));
  EXPECT_EQ(config.listen[0].serves, (wire::Services{true, false, true}));
  EXPECT_EQ(config.response_cache.entries, 100U) << "as many as there";
  EXPECT_EQ(config.response_cache.bytes, 0U);
  ASSERT_THAT(taken.notices, SizeIs(1));
}

TEST_F(MlserverTest, AnswersAreKeptWhereTheServerSaysSo) {
  write("settings.json", R"({"cache_size": 7})");
  EXPECT_FALSE(launch().config.response_cache.any());
  write("settings.json", R"({"cache_size": 7, "cache_enabled": true})");
  EXPECT_EQ(launch().config.response_cache.entries, 7U);
  write("settings.json", R"({"cache_size": 0, "cache_enabled": true})");
  EXPECT_FALSE(launch().config.response_cache.any());
}

TEST_F(MlserverTest, TheEnvironmentMayNameTheModel) {
  environs_ = {{"MLSERVER_MODEL_NAME", "iris"}, {"MLSERVER_MODEL_URI", "/mnt/models"}};
  EXPECT_THAT(launch().config.paths, ElementsAre("iris=/mnt/models"));
  std::filesystem::create_directories(folder_ + "/other");
  write("other/model-settings.json", "{}");
  EXPECT_THAT(launch().config.paths, ElementsAre(folder_));
}

TEST_F(MlserverTest, WhatIsWrongIsNamed) {
  const auto refused = [this](const std::string& text) {
    write("settings.json", text);
    return refusal({"start", folder_}, 1);
  };
  EXPECT_THAT(refused("[]"), HasSubstr("settings.json' is no JSON object"));
  EXPECT_THAT(refused(R"({"http_port": 70000})"), HasSubstr("settings.json: 'http_port' must be a port"));
  EXPECT_THAT(refused(R"({"debug": "perhaps"})"), HasSubstr("'debug' must be true or false, not 'perhaps'"));
  EXPECT_THAT(refused(R"({"kafka_enabled": true})"), HasSubstr("Kafka is not spoken"));
  EXPECT_THAT(refused(R"({"model_repository_implementation": "mine.Repository"})"), HasSubstr("must be null"));
  EXPECT_THAT(refused(R"({"metrics_endpoint": "/own"})"), HasSubstr("must be /metrics"));
  EXPECT_THAT(refused(R"({"metrics_rest_server_prefix": "no-name"})"),
              HasSubstr("must be the begin of a metric's name"));
  EXPECT_THAT(refused(R"({"grpc_port": 8080})"), HasSubstr("'http_port' and 'grpc_port' must differ"));
  write("settings.json", "{}");
  environs_ = {{"MLSERVER_GRPC_PORT", "many"}};
  EXPECT_THAT(refusal({"start", folder_}, 1), HasSubstr("MLSERVER_GRPC_PORT must be a port"));
}

TEST_F(MlserverTest, CommandsOfTheOriginal) {
  EXPECT_THAT(refusal({"--version"}, 0), HasSubstr("mlserver, version modelmill "));
  EXPECT_THAT(refusal({"start", "--help"}, 0), HasSubstr("http_port"));
  EXPECT_THAT(refusal({"start"}, 2), HasSubstr("Missing argument 'FOLDER'"));
  EXPECT_THAT(refusal({"start", "/none"}, 2), HasSubstr("'/none' is no folder"));
  EXPECT_THAT(refusal({"start", folder_, "more"}, 2), HasSubstr("unexpected extra argument (more)"));
  EXPECT_THAT(refusal({"start", "--port=1", folder_}, 2), HasSubstr("No such option: --port=1"));
  EXPECT_THAT(refusal({"stat"}, 2), HasSubstr("No such command 'stat'; did you mean 'start'?"));
  for (const char* command : {"build", "dockerfile", "init", "infer"})
    EXPECT_THAT(refusal({command, "x"}, 1), HasSubstr("is not done by modelmill; ")) << command;
}

TEST_F(MlserverTest, EachSettingIsThereOnceAndItsExampleIsTaken) {
  std::set<std::string_view> names;
  for (const MlserverSetting& setting : mlserver_settings()) {
    EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
    EXPECT_FALSE(setting.example.empty()) << setting.name;
    EXPECT_TRUE(setting.taken == Taken::kSame || !setting.note.empty()) << setting.name;
    MlserverDraft draft;
    ASSERT_NE(setting.apply, nullptr) << setting.name;
    EXPECT_TRUE(setting.apply(draft, std::string(setting.example)).ok()) << setting.name;
  }
}

}  // namespace
}  // namespace modelmill::personality
