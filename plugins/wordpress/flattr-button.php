<?php
/**
 * Plugin Name:       Flattr Button
 * Description:       Puts the Flattr button of your instance under your posts, where its block or shortcode stands, and into your feed.
 * Version:           1.0.0
 * Requires at least: 6.1
 * Requires PHP:      7.4
 * License:           MIT
 * License URI:       https://opensource.org/license/mit
 * Text Domain:       flattr-button
 * Domain Path:       /languages
 * Update URI:        false
 *
 * It comes from your instance, so nothing asks wordpress.org for another version of it.
 *
 * @package Flattr_Button
 */

defined( 'ABSPATH' ) || exit;

const FLATTR_BUTTON_FILE = __FILE__;

require_once __DIR__ . '/includes/options.php';
require_once __DIR__ . '/includes/button.php';
require_once __DIR__ . '/includes/places.php';
require_once __DIR__ . '/includes/feed.php';
require_once __DIR__ . '/includes/settings.php';
