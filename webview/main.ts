import './main.css';
import { element } from './element';
import { openHostLink } from './port';
import { registerWidgets } from './ui';
import { views } from './views/index';

const start = views[document.body.dataset.view ?? ''];
if (!start) throw new Error(`There is no view named ${document.body.dataset.view}.`);
registerWidgets();
const root = element('main');
document.body.append(root);
start(root, openHostLink());
