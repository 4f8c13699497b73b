<?php
/**
 * What the block's editor needs, as WordPress reads it beside the script.
 *
 * @package Flattr_Button
 */

return array(
	'dependencies' => array( 'wp-block-editor', 'wp-blocks', 'wp-components', 'wp-element', 'wp-i18n' ),
	'version'      => '1.0.0',
);
