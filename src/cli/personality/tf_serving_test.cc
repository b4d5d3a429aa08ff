#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "cli/personality/personality.h"
#include "cli/personality/tf_serving_draft.h"

namespace modelmill::personality {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Outcome parse(const std::vector<std::string>& arguments) {
  return kTensorFlowModelServer.parse(arguments, [](const char*) { return std::nullopt; });
}

Launch launch(std::vector<std::string> arguments) {
  arguments.emplace_back("--model_base_path=/models/half");
  Outcome outcome = parse(arguments);
  if (const Answer* answer = std::get_if<Answer>(&outcome)) ADD_FAILURE() << answer->text;
  return std::holds_alternative<Launch>(outcome) ? std::get<Launch>(outcome) : Launch();
}
ServerConfig config(std::vector<std::string> arguments) { return launch(std::move(arguments)).config; }

std::string refusal(const std::vector<std::string>& arguments) {
  const Outcome outcome = parse(arguments);
  const Answer* answer = std::get_if<Answer>(&outcome);
  if (answer == nullptr) return "taken";
  EXPECT_EQ(answer->exit_code, 255);
  return answer->text;
}

std::string file(const std::string& name, const std::string& text) {
  std::string path = ::testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(TfServingTest, WithoutFlagsItIsAsTensorFlowServingIs) {
  const Launch taken = launch({});
  EXPECT_THAT(taken.config.paths, ElementsAre("default=/models/half"));
  ASSERT_EQ(taken.config.listen.size(), 1U);
  EXPECT_EQ(url_text(taken.config.listen[0]), "http://0.0.0.0:8500");
  EXPECT_EQ(taken.config.listen[0].serves, (wire::Services{false, true, false}));
  EXPECT_EQ(taken.config.control.mode, ControlMode::kWatch);
  EXPECT_EQ(taken.config.failed_models, FailedModels::kEnd);
  ASSERT_EQ(taken.notices.size(), 1U);
  EXPECT_EQ(taken.notices[0].flag, "--ssl_config_file");
}

TEST(TfServingTest, HttpIsThereWhenAskedFor) {
  const ServerConfig taken = config({"--rest_api_port=8501", "--rest_api_enable_cors_support"});
  ASSERT_EQ(taken.listen.size(), 2U);
  EXPECT_EQ(url_text(taken.listen[1]), "http://0.0.0.0:8501");
  EXPECT_EQ(taken.listen[1].serves, (wire::Services{true, false, false}));
  EXPECT_THAT(taken.access.cors_origins, ElementsAre("*"));
  EXPECT_EQ(config({"--rest_api_port=8500"}).listen.size(), 1U) << "as there, no HTTP at gRPC's port";
}

TEST(TfServingTest, TheEnvironmentMaySayTheAddress) {
  const Outcome outcome = kTensorFlowModelServer.parse(
      {"--model_base_path=models/half", "--rest_api_port=8501"}, [](const char* name) -> std::optional<std::string> {
        return std::string_view(name) == "MODELMILL_BIND" ? "127.0.0.1" : std::optional<std::string>();
      });
  const Launch& launch = std::get<Launch>(outcome);
  ASSERT_EQ(launch.config.listen.size(), 2u);
  EXPECT_EQ(url_text(launch.config.listen[0]), "http://127.0.0.1:8500");
  EXPECT_EQ(url_text(launch.config.listen[1]), "http://127.0.0.1:8501");
  for (const Notice& notice : launch.notices) EXPECT_NE(notice.flag, "--ssl_config_file");
}

TEST(TfServingTest, ASocketMayTakeThePortsPlace) {
  const ServerConfig taken = config({"--port=0", "--grpc_socket_path=/run/s"});
  ASSERT_EQ(taken.listen.size(), 1U);
  EXPECT_EQ(taken.listen[0].path, "/run/s");
  EXPECT_THAT(refusal({"--port=0", "--model_base_path=/m"}), HasSubstr("At least one of --port"));
}

TEST(TfServingTest, FlagsAreWrittenAsTensorFlowTakesThem) {
  EXPECT_THAT(config({"--rest_api_enable_cors_support=false"}).access.cors_origins, IsEmpty());
  EXPECT_THAT(refusal({"--rest_api_enable_cors_support=1"}), HasSubstr("Couldn't interpret value =1 for flag"));
  EXPECT_THAT(refusal({"--port=x"}), HasSubstr("Couldn't interpret value x for flag port."));
  EXPECT_THAT(refusal({"--port", "8500"}), HasSubstr("the flag --port needs a value, as --port=8500"));
  EXPECT_THAT(refusal({"--model_nam=x"}), HasSubstr("unknown argument: --model_nam=x; did you mean '--model_name'?"));
  EXPECT_THAT(refusal({"models"}), HasSubstr("unknown argument: models"));
}

TEST(TfServingTest, WhatFlagsSayTogetherIsLookedAt) {
  EXPECT_THAT(refusal({}), HasSubstr("Both --model_base_path and --model_config_file are empty!"));
  EXPECT_THAT(refusal({"--model_base_path=/m", "--batching_parameters_file=b"}), HasSubstr("without setting --enable"));
  EXPECT_THAT(refusal({"--model_base_path=/m", "--use_alts_credentials"}), HasSubstr("ALTS is not spoken"));
  EXPECT_THAT(refusal({"--model_base_path=/m", "--tensorflow_session_parallelism=1",
                       "--tensorflow_intra_op_parallelism=1", "--tensorflow_inter_op_parallelism=1"}),
              HasSubstr("You cannot configure all"));
}

TEST(TfServingTest, ModelsAndTheirThreads) {
  const ServerConfig taken =
      config({"--model_name=half", "--tensorflow_intra_op_parallelism=3", "--num_load_threads=4", "--enable_batching",
              "--batching_parameters_file=b", "--file_system_poll_wait_seconds=0"});
  EXPECT_THAT(taken.paths, ElementsAre("half=/models/half"));
  EXPECT_EQ(taken.instance_threads, 3);
  EXPECT_EQ(taken.load_threads, 4);
  EXPECT_EQ(taken.batching_parameters_file, "b");
  EXPECT_TRUE(taken.tf_run_series && taken.tf_batching);
  EXPECT_EQ(taken.control.mode, ControlMode::kExplicit);
  EXPECT_THAT(taken.control.load_models, ElementsAre("*"));
  const ServerConfig listed = config({"--model_config_file=c"});
  EXPECT_THAT(listed.paths, IsEmpty());
  EXPECT_EQ(listed.model_config_file, "c");
  EXPECT_TRUE(listed.tf_run_series);
  EXPECT_FALSE(listed.tf_batching);
}

TEST(TfServingTest, MetricsAreServedWhenTheirFileSaysSo) {
  const std::string rest = "--rest_api_port=8501";
  const auto with = [&](const char* text) {
    return config({rest, "--monitoring_config_file=" + file("monitoring", text)});
  };
  EXPECT_TRUE(with("prometheus_config { enable: true }").listen[1].serves.metrics);
  EXPECT_FALSE(with("prometheus_config { enable: false }").listen[1].serves.metrics);
  EXPECT_EQ(with("prometheus_config { enable: true path: \"/own/page\" }").tf_metrics_path, "/own/page");
  const auto refused = [&](const std::string& text) {
    return refusal({"--model_base_path=/m", rest, "--monitoring_config_file=" + file("monitoring", text)});
  };
  EXPECT_THAT(refused("prometheus { enable: true }"), HasSubstr("monitoring:1:"));
  EXPECT_THAT(refused("prometheus_config { enable: true path: \"/metrics\" }"), HasSubstr("taken by a page"));
  EXPECT_THAT(refusal({"--model_base_path=/m", "--monitoring_config_file=/none"}), HasSubstr("'/none' can't be read"));
}

TEST(TfServingTest, TheKeysOfTlsStayInMemory) {
  const ServerConfig taken = config({"--ssl_config_file=" + file("ssl", R"(server_key: "KEY" server_cert: "CERT"
      custom_ca: "CA" client_verify: true)"),
                                     "--rest_api_port=8501"});
  std::stringstream key;
  key << std::ifstream(taken.tls.key).rdbuf();
  EXPECT_EQ(key.str(), "KEY");
  EXPECT_THAT(taken.tls.client_ca, HasSubstr("/proc/self/fd/"));
  EXPECT_EQ(taken.listen[0].scheme, wire::Endpoint::Scheme::kHttps);
  EXPECT_EQ(taken.listen[1].scheme, wire::Endpoint::Scheme::kHttp);
  EXPECT_THAT(refusal({"--model_base_path=/m", "--ssl_config_file=" + file("ssl", "server_key: \"K\"")}),
              HasSubstr("must both be given"));
}

TEST(TfServingTest, EachFlagIsThereOnceAndItsExampleIsTaken) {
  std::set<std::string_view> names;
  for (const TfServingFlag& flag : tf_serving_flags()) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name;
    EXPECT_FALSE(flag.example.empty()) << flag.name;
    EXPECT_TRUE(flag.taken == Taken::kSame || !flag.note.empty()) << flag.name;
    TfServingDraft draft;
    ASSERT_NE(flag.apply, nullptr) << flag.name;
    EXPECT_TRUE(flag.apply(draft, std::string(flag.example)).ok()) << flag.name;
  }
}

}  // namespace
}  // namespace modelmill::personality
