#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "cli/personality/personality.h"
#include "cli/personality/torchserve_draft.h"
#include "repository/torchserve_properties.h"

namespace modelmill::personality {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Environs = std::map<std::string, std::string>;

class TorchServeTest : public ::testing::Test {
 protected:
  TorchServeTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ + "/store");
    environs_["LOG_LOCATION"] = folder_ + "/logs";  // no snapshots of the folder that the test runs in
  }

  std::string file(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }

  Outcome parse(const std::vector<std::string>& arguments) {
    return kTorchServe.parse(arguments, [this](const char* name) -> std::optional<std::string> {
      const auto found = environs_.find(name);
      return found == environs_.end() ? std::nullopt : std::optional(found->second);
    });
  }

  Launch launch(std::vector<std::string> arguments) {
    arguments.push_back("--model-store=" + folder_ + "/store");
    Outcome outcome = parse(arguments);
    if (const Answer* answer = std::get_if<Answer>(&outcome)) ADD_FAILURE() << answer->text;
    return std::holds_alternative<Launch>(outcome) ? std::get<Launch>(outcome) : Launch();
  }

  std::string refusal(const std::vector<std::string>& arguments, int exit_code) {
    const Outcome outcome = parse(arguments);
    const Answer* answer = std::get_if<Answer>(&outcome);
    if (answer == nullptr) return "taken";
    EXPECT_EQ(answer->exit_code, exit_code);
    return answer->text;
  }

  const std::string folder_ = ::testing::TempDir() + "torchserve_test";
  Environs environs_;
};

std::string content(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool has_notice(const Launch& launch, const std::string& flag) {
  for (const Notice& notice : launch.notices)
    if (notice.flag == flag) return true;
  return false;
}

TEST_F(TorchServeTest, WithoutFlagsItIsAsTorchServeIs) {
  const Launch taken = launch({});
  const ServerConfig& config = taken.config;
  std::vector<std::string> urls;
  for (const wire::Endpoint& endpoint : config.listen) urls.push_back(url_text(endpoint));
  EXPECT_THAT(urls, ElementsAre("http://127.0.0.1:8080", "http://127.0.0.1:8081", "http://127.0.0.1:8082",
                                "http://127.0.0.1:7070", "http://127.0.0.1:7071"));
  EXPECT_EQ(config.listen[0].serves, (wire::Services{true, false, false, true, false}));
  EXPECT_EQ(config.listen[1].serves, (wire::Services{true, false, false, false, true}));
  EXPECT_EQ(config.listen[2].serves, (wire::Services{false, false, true, false, false}));
  EXPECT_EQ(config.listen[3].serves, (wire::Services{false, true, false, true, false}));
  EXPECT_EQ(config.listen[4].serves, (wire::Services{false, true, false, false, true}));
  EXPECT_EQ(config.access.key_file, "key_file.json");
  EXPECT_EQ(config.control.mode, ControlMode::kNone);
  EXPECT_EQ(config.failed_models, FailedModels::kServeOn);
  EXPECT_THAT(config.paths, SizeIs(1));
  EXPECT_THAT(taken.notices, IsEmpty());
  EXPECT_TRUE(taken.around);
}

TEST_F(TorchServeTest, AddressesThatAreOneServeWhatBothDo) {
  const std::string config = file("config.properties",
                                  "inference_address=http://127.0.0.1:9\n"
                                  "management_address=http://127.0.0.1:9\n");
  const Launch taken = launch({"--ts-config", config});
  ASSERT_THAT(taken.config.listen, SizeIs(4));
  EXPECT_EQ(taken.config.listen[0].serves, (wire::Services{true, false, false, true, true}));
}

TEST_F(TorchServeTest, ModelsAreLaidOverTheFile) {
  const std::string config =
      file("config.properties", "model_store=/elsewhere\nload_models=one.mar\nmodels={\\\n\"net\": {\"1.0\": {}}}\n");
  file("store/net.mar", "");
  file("store/other.mar", "");
  const Launch taken =
      launch({"--ts-config=" + config, "--models", "net.mar", "mine=other.mar", "https://h/x.mar", "none.mar"});
  EXPECT_TRUE(has_notice(taken, "--models"));
  ASSERT_THAT(taken.config.paths, SizeIs(1));
  ASSERT_TRUE(is_torchserve_properties(taken.config.paths[0]));
  const auto startup = read_torchserve_startup(taken.config.paths[0], [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(startup.ok()) << startup.status().message();
  EXPECT_THAT(startup->paths,
              ElementsAre(folder_ + "/store/net.mar", "mine=" + folder_ + "/store/other.mar", "https://h/x.mar"));
  EXPECT_THAT(startup->models.models, SizeIs(1));
}

TEST_F(TorchServeTest, UrlsThatAreNotAllowedAreLeftOut) {
  const std::string config = file("config.properties", "allowed_urls=https://h/.*\n");
  const Launch taken = launch({"--ts-config=" + config, "--models", "https://h/x.mar", "m=https://other/y.mar"});
  EXPECT_TRUE(has_notice(taken, "--models"));
  const auto startup = read_torchserve_startup(taken.config.paths[0], [](const std::string&) { return std::nullopt; });
  ASSERT_TRUE(startup.ok()) << startup.status().message();
  EXPECT_THAT(startup->paths, ElementsAre("https://h/x.mar"));
}

TEST_F(TorchServeTest, SnapshotsAreWrittenUnlessToldOtherwise) {
  environs_["TS_JOB_QUEUE_SIZE"] = "7";
  const std::string config = file("config.properties", "enable_envvars_config=true\njob_queue_size=5\n");
  const Launch taken = launch({"--ts-config=" + config});
  const TorchserveSnapshotConfig& snapshots = taken.config.torchserve_snapshots;
  EXPECT_EQ(snapshots.folder, folder_ + "/logs/config");
  EXPECT_EQ(snapshots.model_store, folder_ + "/store");
  EXPECT_EQ(snapshots.properties.at("tsConfigFile"), config);
  // The environment counts at the next start too.
  EXPECT_EQ(snapshots.properties.at("enable_envvars_config"), "true");
  EXPECT_EQ(launch({"--ncs"}).config.torchserve_snapshots.folder, "");
}

TEST_F(TorchServeTest, TheEnvironmentCountsAsThere) {
  const std::string config = file("config.properties", "enable_envvars_config=true\n");
  environs_["TS_CONFIG_FILE"] = config;
  environs_["TS_LOAD_MODELS"] = "two.mar";
  file("store/two.mar", "");
  environs_["TS_DISABLE_TOKEN_AUTHORIZATION"] = "true";
  const Launch taken = launch({"--ts-config=/none", "--models=one.mar"});
  EXPECT_THAT(content(taken.config.paths.at(0)), HasSubstr("load_models=two.mar"));
  EXPECT_EQ(taken.config.access.key_file, "");
}

TEST_F(TorchServeTest, WhatIsOpenIsWarnedOf) {
  const Launch closed = launch({"--enable-model-api"});
  EXPECT_TRUE(has_notice(closed, "allowed_urls"));
  EXPECT_FALSE(has_notice(closed, "--disable-token-auth"));
  const std::string config =
      file("config.properties", "inference_address=http://0.0.0.0:9\nallowed_urls=https://h/.*\n");
  const Launch open = launch({"--enable-model-api", "--disable-token-auth", "--ts-config=" + config});
  EXPECT_TRUE(has_notice(open, "--disable-token-auth"));
  EXPECT_FALSE(has_notice(open, "allowed_urls"));
  EXPECT_THAT(open.config.control.remote.allowed_prefixes, ElementsAre("https://h/"));
  EXPECT_EQ(open.config.control.mode, ControlMode::kExplicit);
  const auto& rule = open.config.access.rules[static_cast<size_t>(wire::ApiGroup::kManagement)];
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->kind, AccessRule::Kind::kOpen);
}

TEST_F(TorchServeTest, TheLastSnapshotCountsWithoutAFile) {
  file("logs/config/20240101000000000-startup.cfg", "default_workers_per_model=2\n");
  file("logs/config/20240102000000000-shutdown.cfg", "default_workers_per_model=3\n");
  EXPECT_EQ(launch({}).config.instances, 3);
  EXPECT_EQ(launch({"--ncs"}).config.instances, 0);
}

TEST_F(TorchServeTest, FlagsAreWrittenAsPythonTakesThem) {
  EXPECT_THAT(refusal({"--model", "x"}, 2), HasSubstr("ambiguous option: --model could match --model-store, --models"));
  EXPECT_THAT(refusal({"--modelstore", "x"}, 2), HasSubstr("did you mean '--model-store'?"));
  EXPECT_THAT(refusal({"--start", "--stop"}, 2), HasSubstr("argument --stop: not allowed with argument --start"));
  EXPECT_THAT(refusal({"--ts-config", "--start"}, 2), HasSubstr("argument --ts-config: expected one argument"));
  EXPECT_THAT(refusal({"--models"}, 2), HasSubstr("argument --models: expected at least one argument"));
  EXPECT_THAT(refusal({"--start=1"}, 2), HasSubstr("argument --start: ignored explicit argument '1'"));
  EXPECT_THAT(refusal({"store"}, 2), HasSubstr("unrecognized arguments: store"));
  EXPECT_THAT(refusal({"-v"}, 0), HasSubstr("TorchServe Version is modelmill "));
  EXPECT_THAT(refusal({"-h"}, 0), HasSubstr("--enable-model-api"));
  EXPECT_TRUE(std::holds_alternative<Errand>(parse({"--sto"})));
}

TEST_F(TorchServeTest, WhatIsNotThereIsSaidInItsWords) {
  EXPECT_EQ(refusal({}, 1), "Missing mandatory parameter --model-store\n");
  EXPECT_EQ(refusal({"--model-store=/none"}, 1), "--model-store directory not found: /none\n");
  EXPECT_EQ(refusal({"--ts-config=/none"}, 1), "--ts-config file not found: /none\n");
  EXPECT_EQ(refusal({"--log-config=/none"}, 1), "--log-config file not found: /none\n");
  EXPECT_EQ(refusal({"--workflow-store=/none"}, 1), "--workflow-store directory not found: /none\n");
  const std::string config = file("config.properties", "job_queue_size=many\n");
  EXPECT_THAT(refusal({"--model-store=" + folder_, "--ts-config=" + config}, 1),
              HasSubstr("file '" + config + "': 'job_queue_size' must be a whole number"));
  environs_["TEMP"] = "/none";
  EXPECT_THAT(refusal({}, 1), HasSubstr("Invalid temp directory: /none"));
}

TEST_F(TorchServeTest, EachFlagIsThereOnceAndItsExampleIsTaken) {
  std::set<std::string_view> names;
  for (const TorchServeFlag& flag : torchserve_flags()) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name;
    EXPECT_EQ(flag.example.empty(), flag.value == FlagValue::kNone) << flag.name;
    EXPECT_TRUE(flag.taken == Taken::kSame || !flag.note.empty()) << flag.name;
    TorchServeDraft draft;
    ASSERT_NE(flag.apply, nullptr) << flag.name;
    EXPECT_TRUE(flag.apply(draft, std::string(flag.example)).ok()) << flag.name;
  }
}

}  // namespace
}  // namespace modelmill::personality
