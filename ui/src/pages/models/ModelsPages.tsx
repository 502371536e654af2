import { Route, Routes } from "react-router";

import { ModelPage } from "./ModelPage";
import { ModelsPage } from "./ModelsPage";

export default function ModelsPages() {
  return (
    <Routes>
      <Route index element={<ModelsPage />} />
      <Route path="new" element={<ModelPage />} />
      <Route path="edit/:id" element={<ModelPage />} />
    </Routes>
  );
}
