#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "cli/personality/kserve_draft.h"

namespace modelmill::personality {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class KserveTest : public ::testing::Test {
 protected:
  KserveTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  Outcome parse(const std::vector<std::string>& arguments) {
    return kKserve.parse(arguments, [this](const char* name) -> std::optional<std::string> {
      const auto found = environs_.find(name);
      return found == environs_.end() ? std::nullopt : std::optional(found->second);
    });
  }
  Launch launch(const std::vector<std::string>& arguments) {
    Outcome outcome = parse(arguments);
    if (const Answer* answer = std::get_if<Answer>(&outcome)) ADD_FAILURE() << answer->text;
    return std::holds_alternative<Launch>(outcome) ? std::get<Launch>(outcome) : Launch();
  }
  std::string refusal(const std::vector<std::string>& arguments) {
    const Outcome outcome = parse(arguments);
    const Answer* answer = std::get_if<Answer>(&outcome);
    if (answer == nullptr) return "taken";
    EXPECT_EQ(answer->exit_code, 2) << answer->text;
    return answer->text;
  }

  const std::string folder_ = ::testing::TempDir() + "kserve_test";
  std::map<std::string, std::string> environs_;
};

TEST_F(KserveTest, WithoutFlagsItIsAsTheRuntimesAre) {
  const Launch taken = launch({});
  const ServerConfig& config = taken.config;
  ASSERT_THAT(config.listen, SizeIs(2));
  EXPECT_EQ(url_text(config.listen[0]), "http://0.0.0.0:8080");
  EXPECT_EQ(config.listen[0].serves, (wire::Services{true, false, true}));
  EXPECT_EQ(url_text(config.listen[1]), "http://0.0.0.0:8081");
  EXPECT_EQ(config.listen[1].serves, (wire::Services{false, true, false}));
  EXPECT_THAT(config.paths, ElementsAre("model=/mnt/models"));
  EXPECT_THAT(config.control.load_models, ElementsAre("*"));
  EXPECT_EQ(config.failed_models, FailedModels::kEnd);
  EXPECT_EQ(config.server_name, "kserve");
  EXPECT_TRUE(config.listen_when_loaded);
  EXPECT_TRUE(config.kserve_runtime);
  EXPECT_FALSE(config.docs_page);
  EXPECT_THAT(config.model_parameters, UnorderedElementsAre(Pair("outputs", "predict"), Pair("input_type", "FP32")));
  ASSERT_THAT(taken.notices, SizeIs(1));
  EXPECT_EQ(taken.notices[0].flag, "MODELMILL_BIND");
}

TEST_F(KserveTest, FlagsAreMapped) {
  environs_ = {{"MODELMILL_BIND", "127.0.0.1"}, {"PREDICT_PROBA", "True"}, {"KSERVE_LOGLEVEL", "error"}};
  const Launch taken =
      launch({"--model_name=iris", "--model_dir", "file://" + folder_, "--http_port=9000", "--enable_grpc=no",
              "--workers", "3", "--nthread=2", "--timeout-keep-alive=65", "--enable_docs_url=true",
              "--access_log_format=x", "--grpc_max_receive_message_length=1000", "--max_model_len=512", "--dtype=half",
              "--task=text_embedding", "--trust_remote_code", "--max_threads=4", "--max_threads=5"});
  const ServerConfig& config = taken.config;
  ASSERT_THAT(config.listen, SizeIs(1));
  EXPECT_EQ(url_text(config.listen[0]), "http://127.0.0.1:9000");
  EXPECT_THAT(config.paths, ElementsAre("iris=" + folder_));
  EXPECT_EQ(config.instances, 3);
  EXPECT_EQ(config.instance_threads, 2);
  EXPECT_EQ(config.limits.idle_timeout, std::chrono::seconds(65));
  EXPECT_EQ(config.limits.grpc_message, 1000U);
  EXPECT_TRUE(config.docs_page);
  EXPECT_TRUE(config.access_log);
  EXPECT_THAT(
      config.model_parameters,
      UnorderedElementsAre(Pair("outputs", "predict_proba"), Pair("input_type", "FP32"), Pair("max_length", "512"),
                           Pair("dtype", "float16"), Pair("task", "embeddings"), Pair("trust_remote_code", "true")));
  EXPECT_TRUE(taken.log.error);
  EXPECT_FALSE(taken.log.warning);
  EXPECT_FALSE(taken.log.info);
  ASSERT_THAT(taken.notices, SizeIs(1));
  EXPECT_EQ(taken.notices[0].flag, "--max_threads");
}

TEST_F(KserveTest, AFolderOfFoldersHasModelsOfTheirOwnNames) {
  std::filesystem::create_directories(folder_ + "/one/1");
  std::filesystem::create_directories(folder_ + "/another");
  std::filesystem::create_directories(folder_ + "/lost+found");
  std::ofstream(folder_ + "/.hidden") << "";
  EXPECT_THAT(launch({"--model_dir=" + folder_}).config.paths,
              ElementsAre("another=" + folder_ + "/another", "one=" + folder_ + "/one"));
  std::filesystem::create_directories(folder_ + "/2");
  EXPECT_THAT(launch({"--model_dir=" + folder_}).config.paths, ElementsAre("model=" + folder_));
  std::filesystem::remove(folder_ + "/2");
  std::ofstream(folder_ + "/model.json") << "{}";
  EXPECT_THAT(launch({"--model_dir=" + folder_}).config.paths, ElementsAre("model=" + folder_));
}

TEST_F(KserveTest, FlagsMayBeShortenedAndHaveDashes) {
  const ServerConfig config = launch({"--http=9001", "--grpc-port", "9002", "--model-n=x", "--event_loop=auto"}).config;
  EXPECT_EQ(url_text(config.listen[0]), "http://0.0.0.0:9001");
  EXPECT_EQ(url_text(config.listen[1]), "http://0.0.0.0:9002");
  EXPECT_THAT(config.paths, ElementsAre("x=/mnt/models"));
}

TEST_F(KserveTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(refusal({"--http_port=many"}), HasSubstr("argument --http_port: invalid int value: 'many'"));
  EXPECT_THAT(refusal({"--http_port=70000"}), HasSubstr("there is no port 70000"));
  EXPECT_THAT(refusal({"--http_port=-1"}), HasSubstr("argument --http_port: must be from 0"));
  EXPECT_THAT(refusal({"--grpc_port=8080"}), HasSubstr("--http_port and --grpc_port must differ"));
  EXPECT_THAT(refusal({"--enable_grpc=perhaps"}), HasSubstr("invalid truth value: 'perhaps'"));
  EXPECT_THAT(refusal({"--model_name"}), HasSubstr("argument --model_name: expected one argument"));
  EXPECT_THAT(refusal({"--modle_name=x"}), HasSubstr("did you mean '--model_name'?"));
  EXPECT_THAT(refusal({"--model=x"}), HasSubstr("ambiguous option: --model could match --model_name, --model_dir"));
  EXPECT_THAT(refusal({"--trust_remote_code=yes"}), HasSubstr("ignored explicit argument 'yes'"));
  EXPECT_THAT(refusal({"--event-loop=fast"}), HasSubstr("choose from 'auto', 'asyncio', 'uvloop'"));
  EXPECT_THAT(refusal({"--task=fill_mask"}), HasSubstr("is no task of models here"));
  EXPECT_THAT(refusal({"--backend=vllm"}), HasSubstr("vLLM is not run here"));
  EXPECT_THAT(refusal({"--model_id=org/net"}), HasSubstr("nothing is downloaded from a hub"));
  EXPECT_THAT(refusal({"folder"}), HasSubstr("unrecognized arguments: folder"));
  EXPECT_THAT(refusal({"--"}), HasSubstr("unrecognized arguments: --"));
}

TEST_F(KserveTest, TheRuntimesNamesAreItsOwn) {
  for (const char* name : {"kserve", "sklearnserver", "xgbserver", "lgbserver", "predictiveserver"})
    EXPECT_EQ(find_personality(name), &kKserve) << name;
  EXPECT_EQ(find_personality("pmmlserver"), nullptr);
}

TEST_F(KserveTest, EachFlagIsThereOnceAndItsExampleIsTaken) {
  std::set<std::string_view> names;
  for (const KserveFlag& flag : kserve_flags()) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name;
    EXPECT_EQ(flag.example.empty(), flag.value == FlagValue::kNone) << flag.name;
    EXPECT_FALSE(flag.note.empty()) << flag.name;
    KserveDraft draft;
    ASSERT_NE(flag.apply, nullptr) << flag.name;
    const std::string example = flag.name == "model_id" ? folder_ : std::string(flag.example);
    EXPECT_TRUE(flag.apply(draft, example).ok()) << flag.name;
  }
}

}  // namespace
}  // namespace modelmill::personality
