#include "backend/backend_registry.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "backend/testing/harness.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;
using testing::as_floats;
using testing::Asked;
using ::testing::ElementsAre;
using testing::floats;
using ::testing::HasSubstr;
using testing::instance_of;

/// A folder of the test's own.
class Registry : public ::testing::Test {
 protected:
  Registry() : folder_(fs::temp_directory_path() / ("mm_backend_test." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Registry() override { fs::remove_all(folder_); }

  const fs::path folder_;
};

TEST_F(Registry, FindsByName) {
  BackendRegistry registry({.directories = {MM_TEST_BACKENDS}});
  auto found = registry.find("abuse");
  ASSERT_TRUE(found.ok()) << found.status().to_string();
  EXPECT_EQ(found->name, "abuse");
  EXPECT_EQ(found->default_file, "model.abuse");
  EXPECT_THAT(found->extensions, ElementsAre(".abuse", ".bad"));
}

TEST_F(Registry, MissingNamesTheFolders) {
  BackendRegistry registry({.directories = {"/nowhere", MM_TEST_BACKENDS}});
  const Status status = registry.find("nope", "/models/x").status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("modelmill_nope.so was not found in /models/x, /nowhere, "));
  EXPECT_EQ(registry.find("../evil").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(registry.find("").status().code(), Code::kInvalidArgument);
}

TEST_F(Registry, FilesThatAreNotBackends) {
  std::ofstream(folder_ / "modelmill_text.so") << "not a library";
  fs::create_directories(folder_ / "renamed");
  fs::copy_file(fs::path(MM_TEST_BACKENDS) / "modelmill_abuse.so", folder_ / "renamed" / "modelmill_renamed.so");
  BackendRegistry registry({.directories = {folder_.string(), MM_TEST_BACKENDS}});
  EXPECT_THAT(registry.find("text").status().message(), HasSubstr("can't be opened"));
  EXPECT_THAT(registry.find("renamed").status().message(), HasSubstr("it calls itself 'abuse'"));
  EXPECT_THAT(registry.find("old_abi").status().message(), HasSubstr("backend ABI 2, this server has 1"));

  std::vector<std::string> names;
  for (const auto& description : registry.available()) names.push_back(description.name);
  EXPECT_THAT(names, ElementsAre("abuse"));

  std::map<std::string, BackendReport> reports;
  for (const BackendReport& report : registry.report()) reports[report.name] = report;
  EXPECT_TRUE(reports["abuse"].available);
  EXPECT_EQ(reports["abuse"].runtime, "nothing");
  EXPECT_FALSE(reports["text"].available);
  EXPECT_THAT(reports["old_abi"].problem, HasSubstr("ABI 2"));
}

TEST_F(Registry, SettingsReachInitialize) {
  BackendRegistry registry({.directories = {MM_TEST_BACKENDS}, .settings = {{"abuse", R"({"fail": true})"}}});
  EXPECT_THAT(registry.load("abuse", {.model = "m", .file = "ok"}).status().message(), HasSubstr("told to fail"));
  for (const BackendReport& report : registry.report())
    if (report.name == "abuse") {
      EXPECT_FALSE(report.available);
      EXPECT_THAT(report.problem, HasSubstr("told to fail"));
    }
}

TEST_F(Registry, DevicesAndModelsTellTheirMemory) {
  constexpr uint64_t kMib = 1 << 20;
  BackendRegistry registry({.directories = {std::string(MM_TEST_BACKENDS) + "/server", MM_TEST_BACKENDS}});
  EXPECT_FALSE(registry.device_memory("devices", 1)) << "it was not opened yet";
  ASSERT_EQ(registry.find("devices")->gpu_count, 4);
  const auto used = [&](int gpu) {
    const auto memory = registry.device_memory("devices", gpu);
    return memory->total_bytes - memory->free_bytes;
  };
  EXPECT_EQ(registry.device_memory("devices", 1)->total_bytes, 1000 * kMib);
  EXPECT_EQ(registry.device_memory("devices", 1)->uuid, "GPU-fake-1");
  EXPECT_FALSE(registry.device_memory("devices", 4)) << "there is none";
  constexpr const char* kConfig =
      R"({"parameters": {"takes_mib": {"string_value": "7"}, "weights_mib": {"string_value": "5"}}})";
  auto model = registry.load("devices", {.model = "m", .config_json = kConfig});
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  EXPECT_EQ((*model)->gpu_bytes(1), 0u);
  auto instance = (*model)->create_instance("m_0", InstanceGroup::Kind::kGpu, 1);
  ASSERT_TRUE(instance.ok());
  EXPECT_EQ((*instance)->gpu_bytes(1), 7 * kMib);
  EXPECT_EQ((*model)->gpu_bytes(1), 5 * kMib);
  EXPECT_EQ(used(1), 12 * kMib);
  instance->reset();
  model->reset();
  EXPECT_EQ(used(1), 0u);

  auto silent = registry.load("devices", {.model = "m"});
  EXPECT_EQ((*silent)->gpu_bytes(1), std::nullopt) << "it can't tell";
  ASSERT_TRUE(registry.find("abuse").ok());
  EXPECT_FALSE(registry.device_memory("abuse", 0)) << "it has no such function, or no device";
}

constexpr const char* kIdentityConfig = R"({"name": "id", "max_batch_size": 8,
  "input": [{"name": "a", "data_type": "TYPE_FP32", "dims": ["-1"]}, {"name": "b", "data_type": "TYPE_STRING", "dims": ["1"]}],
  "output": [{"name": "c", "data_type": "TYPE_FP32", "dims": ["-1"]}, {"name": "d", "data_type": "TYPE_STRING", "dims": ["1"]}]})";

TEST_F(Registry, IdentityForwardsWithoutACopy) {
  BackendRegistry registry({.directories = {MM_PLUGINS}});
  auto model = registry.load("identity", {.model = "id", .config_json = kIdentityConfig});
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  const BackendModelInfo& info = (*model)->info();
  EXPECT_TRUE(info.inline_safe && info.rows_independent);
  EXPECT_EQ(shape_text(dims(info.signature.inputs.at(0).shape)), "[-1,-1]");
  EXPECT_EQ(info.signature.inputs.at(0).symbols.at(0), "batch");

  auto instance = instance_of(**model);
  Tensor text = testing::strings("b", {"hi"});
  text.shape = {1, 1};
  Asked asked({floats("a", {1, 2}, {1, 2}), text});
  const std::byte* bytes = asked.request->inputs[0].data[0].data();
  testing::run(*instance, {&asked});
  ASSERT_TRUE(asked.sink->status().ok()) << asked.sink->status().to_string();
  const auto& outputs = asked.sink->response().outputs;
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(outputs[0].name, "c");
  EXPECT_EQ(outputs[0].data[0].data(), bytes);
  EXPECT_EQ(outputs[1].contiguous().view(), text.contiguous().view());
}

TEST_F(Registry, IdentityRefusesAConfigurationThatMakesNoSense) {
  BackendRegistry registry({.directories = {MM_PLUGINS}});
  const auto error = [&](const char* config) {
    return registry.load("identity", {.model = "id", .config_json = config}).status().message();
  };
  EXPECT_THAT(error("{}"), HasSubstr("needs as many outputs as inputs"));
  EXPECT_THAT(error(R"({"input": [{"name": "a", "data_type": "TYPE_FP32", "dims": ["1"]}],
                        "output": [{"name": "b", "data_type": "TYPE_INT8", "dims": ["1"]}]})"),
              HasSubstr("output 'b' is INT8, but input 'a' that it repeats is FP32"));
  EXPECT_THAT(error(R"({"parameters": {"execute_delay_ms": {"string_value": "soon"}},
                        "input": [{"name": "a", "data_type": "TYPE_FP32", "dims": ["1"]}],
                        "output": [{"name": "b", "data_type": "TYPE_FP32", "dims": ["1"]}]})"),
              HasSubstr("parameter 'execute_delay_ms': 'soon' is not an integer"));
  EXPECT_THAT(error("{"), HasSubstr("JSON at byte"));
}

TEST_F(Registry, IdentityWithADelayIsNotInlineSafe) {
  BackendRegistry registry({.directories = {MM_PLUGINS}});
  auto model = registry.load(
      "identity", {.model = "id", .config_json = R"({"parameters": {"execute_delay_ms": {"string_value": "1"}},
                        "input": [{"name": "a", "data_type": "TYPE_FP32", "dims": ["-1"]}],
                        "output": [{"name": "b", "data_type": "TYPE_FP32", "dims": ["-1"]}]})"});
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  EXPECT_FALSE((*model)->info().inline_safe);
  auto instance = instance_of(**model);
  Asked asked({floats("a", {1})});
  testing::run(*instance, {&asked});
  EXPECT_THAT(as_floats(asked.sink->response().outputs.at(0)), ElementsAre(1));
}

TEST_F(Registry, AUsersOwnBackendIsCompiledOutsideTheTreeAndServes) {
  const fs::path source = folder_ / "reverse.cc";
  fs::copy_file(fs::path(MM_EXAMPLES) / "backend" / "reverse.cc", source);
  const std::string sanitize = std::string(MM_SANITIZE).empty() ? "" : " -fsanitize=" MM_SANITIZE;
  const std::string command =
      std::string(MM_CXX) + " -std=c++20 -O1 -Wall -Wextra -Werror -Wno-missing-field-initializers -shared -fPIC" +
      sanitize + " -I " MM_INCLUDE " " + source.string() + " -o " + (folder_ / "modelmill_reverse.so").string();
  ASSERT_EQ(std::system(command.c_str()), 0) << command;

  BackendRegistry registry({.directories = {}});
  auto model = registry.load(
      "reverse", {.model = "turner", .config_json = R"({"parameters": {"negate": {"string_value": "true"}}})"},
      folder_.string());
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  auto instance = instance_of(**model);
  Asked one({floats("x", {1, 2, 3, 4}, {2, 2})}), two({floats("x", {5, 6}, {1, 2})}), wrong({floats("z", {5}, {1, 1})});
  testing::run(*instance, {&one, &two, &wrong});
  EXPECT_THAT(as_floats(one.sink->response().outputs.at(0)), ElementsAre(-2, -1, -4, -3));
  EXPECT_THAT(as_floats(two.sink->response().outputs.at(0)), ElementsAre(-6, -5));
  EXPECT_EQ(wrong.sink->status(), invalid_argument("input 'x' is missing"));
}

}  // namespace
}  // namespace modelmill
