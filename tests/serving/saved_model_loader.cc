// TensorFlow Serving's own loader in a few lines: loads a SavedModel by the tag "serve" and prints the outputs asked for.
//   loader SAVED_MODEL IMAGE.f32 SIDE EXAMPLE  IMAGE ZERO_POINT PIXEL_SCALE MU  EXAMPLES MU
// The last six are tensors of the graph (NAME:INDEX), of serving_default and of serialized_example. By TensorFlow's C
// functions, which call LoadSavedModel in C++: the headers of that one take fifteen seconds to compile.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tensorflow/c/c_api.h"

static TF_Status* status = TF_NewStatus();
static TF_Graph* graph = TF_NewGraph();

static void or_exit() {
  if (TF_GetCode(status) == TF_OK) return;
  std::fprintf(stderr, "%s\n", TF_Message(status));
  std::exit(1);
}

static std::string bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

static TF_Output tensor_of_graph(const std::string& name) {
  const auto colon = name.find(':');
  TF_Operation* operation = TF_GraphOperationByName(graph, name.substr(0, colon).c_str());
  if (operation == nullptr) { std::fprintf(stderr, "no operation %s\n", name.c_str()); std::exit(1); }
  return {operation, std::atoi(name.c_str() + colon + 1)};
}

static TF_Tensor* floats(std::vector<int64_t> shape, const std::string& bytes) {
  TF_Tensor* tensor = TF_AllocateTensor(TF_FLOAT, shape.data(), shape.size(), bytes.size());
  bytes.copy(static_cast<char*>(TF_TensorData(tensor)), bytes.size());
  return tensor;
}

static TF_Tensor* number(float value) {
  return floats({1}, std::string(reinterpret_cast<const char*>(&value), sizeof value));
}

static TF_Tensor* text(const std::string& bytes) {
  const int64_t one = 1;
  TF_Tensor* tensor = TF_AllocateTensor(TF_STRING, &one, 1, sizeof(TF_TString));
  auto* entry = static_cast<TF_TString*>(TF_TensorData(tensor));
  TF_TString_Init(entry);
  TF_TString_Copy(entry, bytes.data(), bytes.size());
  return tensor;
}

static void run(TF_Session* session, std::vector<TF_Output> names, std::vector<TF_Tensor*> values, TF_Output wanted) {
  TF_Tensor* answer = nullptr;
  TF_SessionRun(session, nullptr, names.data(), values.data(), names.size(), &wanted, &answer, 1, nullptr, 0, nullptr, status);
  or_exit();
  const auto* mu = static_cast<const float*>(TF_TensorData(answer));
  for (int64_t i = 0; i < TF_TensorElementCount(answer); ++i) std::printf("%.7g\n", mu[i]);
}

int main(int count, char** words) {
  if (count != 11) return 2;
  const char* tag = "serve";
  TF_Session* session =
      TF_LoadSessionFromSavedModel(TF_NewSessionOptions(), nullptr, words[1], &tag, 1, graph, nullptr, status);
  or_exit();
  const int64_t side = std::atoi(words[3]);
  std::vector<TF_Output> names;
  for (int i = 5; i < 11; ++i) names.push_back(tensor_of_graph(words[i]));
  run(session, {names[0], names[1], names[2]},
      {floats({1, side, side}, bytes_of(words[2])), number(22.5f), number(0.4f)}, names[3]);
  run(session, {names[4]}, {text(bytes_of(words[4]))}, names[5]);
  return 0;
}
