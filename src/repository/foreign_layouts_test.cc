#include "repository/foreign_layouts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "repository/find_models.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const std::vector<ModelFormat> kForeignFormats{{"onnxruntime", "model.onnx", {".onnx"}}, {"identity", "", {}}};

FoundModel only(const std::string& path, const std::vector<ModelFormat>& formats = kForeignFormats) {
  const auto found = find_models({path}, formats);
  EXPECT_TRUE(found.ok()) << found.status().to_string();
  if (!found.ok() || found->models.size() != 1) {
    ADD_FAILURE() << "not one model";
    return {};
  }
  return found->models[0];
}

std::string model_file(const FoundModel& model) {
  const auto definition = read_definition(model);
  EXPECT_TRUE(definition.ok()) << definition.status().to_string();
  EXPECT_EQ(*infer_backend(*definition, model.versions.at(0), kForeignFormats), "onnxruntime");
  return *find_model_file(*definition, model.versions.at(0), kForeignFormats[0]);
}

TEST(Mlflow, TheOnnxFlavourIsServed) {
  const TempFolder folder;
  folder.write("iris/MLmodel",
               "flavors:\n  python_function:\n    loader_module: mlflow.onnx\n  onnx:\n    data: net.onnx\n");
  folder.write("iris/net.onnx");
  folder.write("iris/other.onnx");
  folder.write("iris/requirements.txt");
  const FoundModel model = only(folder / "iris");
  EXPECT_EQ(model.name, "iris");
  EXPECT_EQ(model.layout, ModelLayout::kMlflow);
  EXPECT_EQ(model_file(model), folder / "iris/net.onnx");
  const FoundModel in_repository = only(folder.path());
  EXPECT_EQ(in_repository.name, "iris");
}

struct Flavour {
  const char* text;
  const char* message;
};
class OtherFlavours : public testing::TestWithParam<Flavour> {};

TEST_P(OtherFlavours, SayWhatTheyNeed) {
  const TempFolder folder;
  folder.write("m/MLmodel", GetParam().text);
  EXPECT_THAT(only(folder / "m").problem.message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, OtherFlavours,
    testing::Values(
        Flavour{"flavors: {python_function: {}, sklearn: {pickled_model: model.pkl}}",
                "MLmodel:1:10: model 'm' (MLflow flavour sklearn) needs backend 'python', which is not installed"},
        Flavour{"flavors: {python_function: {}}", "(MLflow flavour python_function) needs backend 'python'"},
        Flavour{"flavors: {tensorflow: {saved_model_dir: tfmodel}}",
                "(MLflow flavour tensorflow) needs backend "
                "'tensorflow'"},
        Flavour{"flavors: {xgboost: {data: model.ubj}}", "needs backend 'xgboost'"},
        Flavour{"flavors: {lightgbm: }", "needs backend 'lightgbm'"},
        Flavour{"run_id: 3", "there are no 'flavors' in it"}, Flavour{"", "there are no 'flavors' in it"},
        Flavour{"flavors: [", "MLmodel:1:"}, Flavour{"flavors: {[a]: b}", "MLmodel"}));

TEST(Mlflow, TheTensorflowFlavourIsServedWhereItIsASavedModel) {
  const TempFolder folder;
  const ModelFormat tensorflow{"tensorflow", "saved_model.pb", {".savedmodel"}};
  const auto file = [&](const char* flavour) {
    folder.write("m/MLmodel", std::string("flavors: {tensorflow: {") + flavour + "}}");
    const FoundModel model = only(folder / "m", {tensorflow});
    EXPECT_TRUE(model.problem.ok()) << model.problem.to_string();
    return *find_model_file(*read_definition(model), model.versions.at(0), tensorflow);
  };
  folder.write("m/tfmodel/saved_model.pb");
  EXPECT_EQ(file("saved_model_dir: tfmodel"), folder / "m/tfmodel");
  folder.write("m/data/model/saved_model.pb");
  EXPECT_EQ(file("data: data, save_format: tf"), folder / "m/data/model");
  folder.write("m/MLmodel", "flavors: {tensorflow: {data: elsewhere, save_format: keras}}");
  EXPECT_THAT(only(folder / "m", {tensorflow}).problem.message(), HasSubstr("needs backend 'python'"));
}

/// Formats with those of Python, which serves what needs no code of the user's.
std::vector<ModelFormat> with_python() {
  auto formats = kForeignFormats;
  formats.push_back({"python", "model.py", {".joblib", ".pkl"}});
  return formats;
}

TEST(Mlflow, APythonFunctionIsToldToThePythonBackend) {
  const TempFolder folder;
  folder.write(
      "m/MLmodel",
      "flavors:\n  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl, predict_fn: predict}\n"
      "  sklearn: {code: null}\nsignature:\n  inputs: '[{\"type\": \"double\"}]'\n");
  const FoundModel model = only(folder / "m", with_python());
  EXPECT_TRUE(model.problem.ok()) << model.problem.to_string();
  EXPECT_EQ(model.versions[0].file, folder / "m/MLmodel");
  const auto definition = read_definition(model);
  ASSERT_TRUE(definition.ok()) << definition.status().to_string();
  EXPECT_EQ(definition->backend, "python");
  EXPECT_THAT(
      definition->parameters,
      testing::IsSupersetOf({Pair("mlflow_loader", "mlflow.sklearn"), Pair("mlflow_data", "model.pkl"),
                             Pair("mlflow_predict", "predict"), Pair("mlflow_inputs", "[{\"type\": \"double\"}]")}));
  EXPECT_EQ(definition->parameters.count("mlflow_code"), 0U);
  folder.write("m/MLmodel", "flavors: {python_function: {loader_module: mine, data: ../secret.pkl}}");
  EXPECT_THAT(only(folder / "m", with_python()).problem.message(), HasSubstr("must not leave folder"));
}

TEST(Mlflow, ThePytorchFlavourIsServedWhereItIsAScript) {
  const TempFolder folder;
  auto formats = with_python();
  formats.push_back({"pytorch", "model.pt", {".pt", ".pth"}});
  folder.write("m/MLmodel", "flavors: {pytorch: {model_data: data}, python_function: {loader_module: mlflow.pytorch}}");
  folder.write("m/data/model.pth", "PK " + std::string(100'000, 'x') + "model/constants.pkl and so on");
  EXPECT_EQ(read_definition(only(folder / "m", formats))->backend, "pytorch");
  EXPECT_EQ(read_definition(only(folder / "m", formats))->default_model_filename, "data/model.pth");
  folder.write("m/data/model.pth", "PK model/data.pkl");
  EXPECT_EQ(read_definition(only(folder / "m", formats))->backend, "python");
  folder.write("m/MLmodel", "flavors: {pytorch: {model_data: away}, python_function: {loader_module: mlflow.pytorch}}");
  EXPECT_EQ(read_definition(only(folder / "m", formats))->backend, "python");
}

TEST(HuggingFace, AConfigurationBesideWeightsIsAModel) {
  const TempFolder folder;
  folder.write("bert/config.json", R"({"model_type": "bert", "architectures": ["BertModel"]})");
  folder.write("bert/tokenizer.json", "{}");
  EXPECT_FALSE(find_models({folder / "bert"}, with_python()).ok()) << "without weights it is none";
  folder.write("bert/model.safetensors");
  const FoundModel model = only(folder / "bert", with_python());
  EXPECT_EQ(model.name, "bert");
  EXPECT_EQ(model.layout, ModelLayout::kHuggingFace);
  EXPECT_EQ(model.versions[0].file, folder / "bert/config.json");
  EXPECT_EQ(only(folder.path(), with_python()).name, "bert");
  EXPECT_THAT(only(folder / "bert").problem.message(), HasSubstr("(folder of Hugging Face) needs backend 'python'"));
  folder.write("bert/model.onnx");
  EXPECT_EQ(only(folder / "bert", with_python()).layout, ModelLayout::kFile);
  folder.write("other/config.json", R"({"layers": 3})");
  folder.write("other/x.safetensors");
  EXPECT_FALSE(find_models({folder / "other"}, with_python()).ok());
  folder.write("sentences/modules.json", R"([{"type": "sentence_transformers.models.Transformer", "path": "0"}])");
  EXPECT_EQ(only(folder / "sentences", with_python()).versions[0].file, folder / "sentences/modules.json");
}

TEST(Mlflow, EveryPathThatLeadsOutOfItsFolderIsTold) {
  const TempFolder folder;
  folder.write("m/MLmodel", "flavors: {python_function: {loader_module: mine, data: ../a, code: ../b}}");
  const FoundModel model = only(folder / "m", with_python());
  ASSERT_EQ(model.problems.size(), 2U);
  EXPECT_THAT(status_of(model.problems[0]).message(), HasSubstr("MLmodel:1:10: file name '../a' must not leave"));
  EXPECT_THAT(status_of(model.problems[1]).message(), HasSubstr("MLmodel:1:10: file name '../b' must not leave"));
}

TEST(Mlserver, RuntimesOfPythonAreServed) {
  const TempFolder folder;
  folder.write("m/model-settings.json", R"({"implementation": "mlserver_sklearn.SKLearnModel"})");
  EXPECT_THAT(only(folder / "m", with_python()).problem.message(), HasSubstr("a file such as model.joblib"));
  folder.write("m/model.joblib");
  const FoundModel pickle = only(folder / "m", with_python());
  EXPECT_EQ(pickle.versions[0].file, folder / "m/model.joblib");
  EXPECT_THAT(read_definition(pickle)->parameters,
              testing::UnorderedElementsAre(Pair("outputs", "predict"), Pair("input_type", "FP32")));
  folder.write("flow/model-settings.json",
               R"({"implementation": "mlserver_mlflow.MLflowRuntime", "parameters": {"uri": "./inside"}})");
  folder.write("flow/inside/MLmodel", "flavors: {python_function: {loader_module: mine}}");
  EXPECT_EQ(only(folder / "flow", with_python()).versions[0].file, folder / "flow/inside/MLmodel");
  folder.write("face/model-settings.json", R"({"implementation": "mlserver_huggingface.HuggingFaceRuntime",
               "parameters": {"uri": ".", "extra": {"task": "text-classification"}}})");
  folder.write("face/config.json", R"({"model_type": "bert"})");
  folder.write("face/model.safetensors");
  EXPECT_THAT(read_definition(only(folder / "face", with_python()))->parameters,
              ElementsAre(Pair("task", "text-classification")));
}

TEST(Mlserver, AModelSaysThatItsAnswersMayBeKept) {
  const TempFolder folder;
  folder.write("m/model.joblib");
  const auto kept = [&](const std::string& more) {
    folder.write("m/model-settings.json", R"({"implementation": "mlserver_sklearn.SKLearnModel")" + more + "}");
    return read_definition(only(folder / "m", with_python()))->response_cache;
  };
  EXPECT_FALSE(kept(""));
  EXPECT_TRUE(kept(R"(, "cache_enabled": true)"));
  EXPECT_TRUE(kept(R"(, "cache_enabled": "true")"));
  EXPECT_FALSE(kept(R"(, "cache_enabled": false)"));
}

TEST(Mlserver, ClassesOfOnesOwnAreServed) {
  const TempFolder folder;
  folder.write("mine/model-settings.json", R"({"implementation": "mine.Model"})");
  const FoundModel elsewhere = only(folder / "mine", with_python());
  EXPECT_EQ(elsewhere.versions[0].file, folder / "mine/model-settings.json") << "a module that is installed";
  EXPECT_EQ(read_definition(elsewhere)->backend, "python");
  // What a class of the folder's own loads is its business, also where a backend knows the file.
  folder.write("mine/model-settings.json", R"({"implementation": "mine.Model", "parallel_workers": 2,
               "parameters": {"uri": "./model.joblib", "environment_tarball": "env.tar.gz"}})");
  folder.write("mine/model.joblib");
  EXPECT_EQ(only(folder / "mine", with_python()).versions[0].file, folder / "mine/model.joblib");
  folder.write("mine/mine.py");
  const FoundModel model = only(folder / "mine", with_python());
  EXPECT_EQ(model.versions[0].file, folder / "mine/model-settings.json");
  EXPECT_THAT(
      read_definition(model)->parameters,
      testing::UnorderedElementsAre(Pair("EXECUTION_ENV_PATH", folder / "mine/env.tar.gz"), Pair("workers", "2")));
  EXPECT_THAT(only(folder / "mine").problem.message(), HasSubstr("needs backend 'python', which is not installed"));
  folder.write("mine/model-settings.json", R"({"implementation": "Model"})");
  EXPECT_THAT(only(folder / "mine", with_python()).problem.message(), HasSubstr("names no class"));
}

TEST(Mlflow, AFileOutsideTheFolderIsRefused) {
  const TempFolder folder;
  folder.write("m/MLmodel", "flavors: {onnx: {data: ../secret.onnx}}");
  folder.write("secret.onnx");
  const FoundModel model = only(folder / "m");
  EXPECT_THAT(find_model_file(*read_definition(model), model.versions[0], kForeignFormats[0]).status().message(),
              HasSubstr("must not leave folder"));
}

TEST(Mlserver, TheFileThatItNamesIsServed) {
  const TempFolder folder;
  folder.write(
      "mnt/model-settings.json",
      R"({"name": "iris", "implementation": "custom.Onnx", "parameters": {"uri": "./net.onnx", "version": "v3"}})");
  folder.write("mnt/net.onnx");
  const FoundModel model = only(folder / "mnt");
  EXPECT_EQ(model.name, "iris");
  EXPECT_EQ(model.versions[0].version, 3);
  EXPECT_EQ(model_file(model), folder / "mnt/net.onnx");
  EXPECT_THAT(read_definition(model)->labels, ElementsAre(Pair("v3", 3)));
  folder.write("mnt/model-settings.json", "{\"parameters\": {\"uri\": \"" + (folder / "mnt/net.onnx") + "\"}}");
  EXPECT_EQ(model_file(only(folder / "mnt")), folder / "mnt/net.onnx") << "an absolute path inside the folder";
  EXPECT_EQ(only(folder / "mnt").name, "mnt");
}

TEST(Mlserver, WhatIsWrongIsTold) {
  const TempFolder folder;
  const auto problem = [&](const std::string& text) {
    folder.write("m/model-settings.json", text);
    return only(folder / "m").problem.message();
  };
  EXPECT_THAT(problem(R"({"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "m.joblib"}})"),
              HasSubstr("(MLServer implementation mlserver_sklearn.SKLearnModel) needs backend 'python'"));
  EXPECT_THAT(problem(R"({"implementation": "mlserver_xgboost.XGBoostModel"})"), HasSubstr("needs backend 'xgboost'"));
  EXPECT_THAT(problem(R"({"parameters": {"uri": "../x.onnx"}})"), HasSubstr("must not leave folder"));
  EXPECT_THAT(problem(R"({"parameters": {"uri": "/etc/x.onnx"}})"), HasSubstr("must not leave folder"));
  EXPECT_THAT(problem("{}"), HasSubstr("neither 'implementation' nor 'parameters.uri'"));
  EXPECT_THAT(problem("{,}"), HasSubstr("model-settings.json: not JSON"));
}

TEST(Torchserve, UnpackedArchivesOfOneNameAreVersions) {
  const TempFolder folder;
  const auto manifest = [&](const std::string& where, const std::string& version, const std::string& handler) {
    folder.write("store/" + where + "/MAR-INF/MANIFEST.json", R"({"model": {"modelName": "net", "modelVersion": ")" +
                                                                  version + R"(", "serializedFile": "net.onnx", )" +
                                                                  R"("handler": ")" + handler + R"("}})");
    folder.write("store/" + where + "/net.onnx");
  };
  manifest("one", "1.0", "base_handler");
  manifest("two", "2.1", "base_handler");
  const FoundModel model = only(folder / "store");
  EXPECT_EQ(model.name, "net");
  ASSERT_EQ(model.versions.size(), 2U);
  EXPECT_EQ(model.versions[0].version, 1);
  EXPECT_EQ(model.versions[0].file, folder / "store/one/net.onnx");
  EXPECT_EQ(model.versions[1].version, 2'001'000);
  const auto definition = read_definition(model);
  ASSERT_TRUE(definition.ok()) << definition.status().to_string();
  EXPECT_THAT(definition->labels, ElementsAre(Pair("1.0", 1), Pair("2.1", 2'001'000)));
  EXPECT_EQ(definition->version_policy.kind, VersionPolicy::Kind::kAll);
  EXPECT_EQ(definition->backend, "onnxruntime");
  manifest("three", "1.0", "base_handler");
  EXPECT_THAT(only(folder / "store").problem.message(), HasSubstr("two models named 'net'"));
}

TEST(Torchserve, WhatIsWrongIsTold) {
  const TempFolder folder;
  const auto problem = [&](const std::string& text) {
    folder.write("m/MAR-INF/MANIFEST.json", text);
    return only(folder / "m").problem.message();
  };
  EXPECT_THAT(problem(R"({"model": {"modelName": "d", "serializedFile": "d.pth", "handler": "image_classifier"}})"),
              HasSubstr("model 'd' (TorchServe handler image_classifier) needs backend 'python', which is not"));
  EXPECT_THAT(problem(R"({"model": {"serializedFile": "m.onnx", "handler": "mine.py"}})"),
              HasSubstr("handler mine.py"));
  EXPECT_THAT(problem(R"({"model": {"serializedFile": "m.onnx", "modelFile": "net.py"}})"),
              HasSubstr("handler base_handler"));
  EXPECT_THAT(problem(R"({"model": {"serializedFile": "m.onnx", "configFile": "/etc/passwd"}})"),
              HasSubstr("configFile: file name '/etc/passwd' must be relative"));
  EXPECT_THAT(problem(R"({"model": {"modelVersion": "latest"}})"), HasSubstr("modelVersion 'latest' can't be served"));
  EXPECT_THAT(problem(R"({"model": {"serializedFile": "../m.onnx"}})"), HasSubstr("must not leave folder"));
  EXPECT_THAT(problem(R"({"model": {"modelName": "a/b", "serializedFile": "m.onnx"}})"),
              HasSubstr("must not contain '/'"));
  EXPECT_THAT(problem("["), HasSubstr("MANIFEST.json: not JSON"));
}

TEST(Torchserve, HandlersArePythons) {
  const TempFolder folder;
  auto formats = kForeignFormats;
  formats.push_back({"python", "model.py", {".py"}});
  const auto write = [&](const std::string& version, const std::string& config) {
    folder.write("store/v" + version + "/MAR-INF/MANIFEST.json",
                 R"({"model": {"modelName": "cat", "modelVersion": ")" + version +
                     R"(", "handler": "image_classifier", "serializedFile": "cat.pt", "configFile": "c.yaml"}})");
    folder.write("store/v" + version + "/c.yaml", config);
  };
  write("1", "minWorkers: 2\nmaxWorkers: 2\nbatchSize: 4\nmaxBatchDelay: 20\njobQueueSize: 9\n");
  write("2", "minWorkers: 1\nmaxWorkers: 3\nbatchSize: 8\nresponseTimeout: 30\ndeviceType: cpu\nhandler: {x: 1}\n");
  const FoundModel model = only(folder / "store", formats);
  ASSERT_TRUE(model.problem.ok()) << model.problem.to_string();
  ASSERT_EQ(model.versions.size(), 2U);
  EXPECT_EQ(model.versions[1].file, folder / "store/v2/MAR-INF/MANIFEST.json");
  const auto newest = read_definition(model);
  ASSERT_TRUE(newest.ok()) << newest.status().to_string();
  EXPECT_EQ(newest->backend, "python");
  EXPECT_THAT(newest->labels, ElementsAre(Pair("1", 1), Pair("2", 2)));
  EXPECT_EQ(newest->max_batch_size, 8);
  EXPECT_EQ(newest->instance_range.min, 1);
  EXPECT_EQ(newest->instance_range.max, 3);
  EXPECT_EQ(newest->parameters.at("execution_timeout_s"), "30");
  ASSERT_EQ(newest->instance_groups.size(), 1U);
  EXPECT_EQ(newest->instance_groups[0].kind, InstanceGroup::Kind::kCpu);
  const auto oldest = read_definition(only(folder / "store/v1", formats));
  ASSERT_TRUE(oldest.ok()) << oldest.status().to_string();
  EXPECT_EQ(oldest->instance_groups.at(0).count, 2);
  EXPECT_EQ(oldest->batching.max_queue_delay, std::chrono::milliseconds(20));
  EXPECT_EQ(oldest->batching.queue.max_queue_size, 9);
}

TEST(Torchserve, WhatIsWrongWithAConfigurationIsTold) {
  const TempFolder folder;
  folder.write("m/MAR-INF/MANIFEST.json", R"({"model": {"serializedFile": "m.onnx", "configFile": "c.yaml"}})");
  folder.write("m/m.onnx");
  const auto problem = [&](const std::string& text) {
    folder.write("m/c.yaml", text);
    return only(folder / "m").problem.message();
  };
  EXPECT_THAT(problem("batchSize: 0"), HasSubstr("c.yaml:1:12: 'batchSize' must be a whole number from 1 on"));
  EXPECT_THAT(problem("minWorkers: [1]"), HasSubstr("'minWorkers' must be a whole number from 0 on"));
  EXPECT_THAT(problem("- 1"), HasSubstr("it has no keys"));
  EXPECT_THAT(problem("a: ["), HasSubstr("c.yaml:1"));
  EXPECT_EQ(problem(""), "");
}

TEST(SavedModel, SaysWhatItNeeds) {
  const TempFolder folder;
  folder.write("half/saved_model.pb");
  EXPECT_THAT(only(folder / "half").problem.message(),
              HasSubstr("model 'half' (TensorFlow SavedModel) needs backend 'tensorflow', which is not installed"));
  const auto backend = [&](const std::vector<ModelFormat>& formats) {
    const FoundModel model = only(folder / "half", formats);
    EXPECT_TRUE(model.problem.ok()) << model.problem.message();
    const auto backend = infer_backend(*read_definition(model), model.versions.at(0), formats);
    return backend.ok() ? *backend : backend.status().message();
  };
  const ModelFormat tensorflow{"tensorflow", "saved_model.pb", {".savedmodel"}};
  const ModelFormat other{"openvino", "model.xml", {".xml", ".savedmodel"}};
  EXPECT_EQ(backend({other, tensorflow}), "tensorflow") << "it is what the file stands for";
  EXPECT_EQ(backend({other}), "openvino");
  folder.write("half/fingerprint.pb");
  const FoundModel model = only(folder / "half", {other});
  const auto file = find_model_file(*read_definition(model), model.versions.at(0), other);
  EXPECT_EQ(file.ok() ? *file : file.status().message(), folder / "half/saved_model.pb");
}

TEST(SavedModel, OtherFilesOfTensorFlowAreNot) {
  const TempFolder folder;
  const std::vector<ModelFormat> formats{{"tensorflow", "saved_model.pb", {".savedmodel"}}};
  folder.write("old/1/model.graphdef");
  const FoundModel model = only(folder / "old", formats);
  EXPECT_THAT(
      infer_backend(*read_definition(model), model.versions.at(0), formats).status().message(),
      HasSubstr("its file 'model.graphdef' needs backend 'tensorflow', but the one that is installed serves only "
                "saved_model.pb, *.savedmodel"));
  folder.write("lite/net.tflite");
  EXPECT_THAT(only(folder / "lite", formats).problem.message(), HasSubstr("needs backend 'openvino'"));
}

TEST(SavedModel, IsNamedAsItsFolderWithoutTheEnding) {
  const TempFolder folder;
  folder.write("net.savedmodel/saved_model.pb");
  EXPECT_EQ(only(folder / "net.savedmodel").name, "net");
  folder.write("v1.2/saved_model.pb");
  EXPECT_EQ(only(folder / "v1.2").name, "v1.2");
  EXPECT_EQ(only(folder / "v1.2/saved_model.pb").name, "v1.2");
}

}  // namespace
}  // namespace modelmill
